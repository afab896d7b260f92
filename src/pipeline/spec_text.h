#pragma once

#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "valuelens/model.h"

namespace valuelens {

/// A command-line specification `HEAD[,name=value]...`, taken apart. The head may hold commas: only the trailing parts
/// that begin with one of the allowed names are options.
struct SpecText {
    std::string head;
    std::map<std::string, std::string> options;
    std::string whole;  ///< as written, for messages
    std::string option; ///< the command-line option it belongs to ("--steer")

    /// Throws Error(usage) that quotes the specification.
    [[noreturn]] void bad(const std::string & problem) const;

    std::optional<std::string> find(const std::string & name) const;
    /// Throws Error(usage) for anything but a finite number.
    std::optional<float> number(const std::string & name) const;
};

/// Throws Error(usage) for an option that comes twice, is unknown, or has no value.
SpecText parse_spec_text(const std::string & text, const std::string & option,
                         std::initializer_list<std::string_view> allowed);

/// A range of blocks, both ends included.
struct LayerRange {
    int first = 0;
    int last = 0;
    bool contains(int layer) const { return first <= layer && layer <= last; }
};

/// `A-B` or `A`; nothing where the text is no range of block numbers.
std::optional<LayerRange> parse_layer_range(std::string_view text);

/// The option `layers=A-B` or `layers=A`. Throws Error(usage).
std::optional<LayerRange> layer_range(const SpecText & spec);

/// Throws Error(usage) where the range does not lie inside the model's blocks.
void require_layers(const SpecText & spec, const LayerRange & range, int n_layer);

} // namespace valuelens

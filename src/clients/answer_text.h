#pragma once

#include <optional>
#include <string_view>

namespace valuelens {

/// What a model answers, without white space around it and a think block before it. Nothing where a think block does
/// not end. The view is into `text`.
std::optional<std::string_view> behind_think_block(std::string_view text);

/// The same without a code fence around it.
std::optional<std::string_view> answer_text(std::string_view content);

} // namespace valuelens

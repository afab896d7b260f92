#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace valuelens {

/// What a model answers, without white space around it, a think block before it and a code fence around it. Nothing
/// where a think block does not end. The view is into `content`.
std::optional<std::string_view> answer_text(const std::string & content);

} // namespace valuelens

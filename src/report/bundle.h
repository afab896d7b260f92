#pragma once

#include <string_view>

namespace valuelens {

/// The page's charts as one script, bundled from report/ by the build; empty where the build had no node. Defined by
/// the build (cmake/ReportBundle.cmake).
std::string_view report_bundle();

} // namespace valuelens

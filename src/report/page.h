#pragma once

#include <string>

#include "report/json.h"

namespace valuelens {

/// The HTML page of a model: styles, the report as text (what shows without scripts), the model as data and the
/// script that draws it. It names no other file, and its content security policy forbids any request; a live one may
/// ask its own server.
std::string report_page(const Json & model, bool live = false);

/// The model as it stands inside <script type="application/json">: without "<", so that nothing in it can end the
/// element.
std::string embedded_json(const Json & model);

} // namespace valuelens

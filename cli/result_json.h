#pragma once

#include <nlohmann/json.hpp>

#include "valuelens/model.h"
#include "valuelens/request.h"

namespace valuelens {

nlohmann::ordered_json stats_json(const SchedulerStats & stats);
nlohmann::ordered_json model_json(const ModelInfo & info);

} // namespace valuelens

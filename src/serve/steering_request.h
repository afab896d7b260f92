#pragma once

#include <nlohmann/json.hpp>

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>

#include "serve/sources.h"
#include "valuelens/intervention.h"
#include "valuelens/model.h"

namespace valuelens {

/// Turns the field `steering` of requests into interventions. Equal requests get the same object, as long as it is
/// among the last ones used: then they may share the prefixes of their prompts. Thread-safe.
class SteeringDesk {
public:
    SteeringDesk(const Sources & sources, ModelInfo model) : sources_(sources), model_(std::move(model)) {}

    /// `{"vectors": [{"source", "key", "scale", "layers", "mode", "tokens", "unit", "location"}],`
    /// `"neurons": [{"source", "value", "category", "scale", "layers"} or {"layer", "indices", "scale"}]}`.
    /// Null or empty: null. Throws ApiError(400) that names the field.
    std::shared_ptr<const Intervention> read(const nlohmann::json * steering);

    /// `base` (may be null) with `last` after it. `last` outlives all requests and is always the same.
    std::shared_ptr<const Intervention> with(const std::shared_ptr<const Intervention> & base,
                                             const Intervention & last);

private:
    struct Entry {
        std::string key;
        std::shared_ptr<const Intervention> base; ///< of with(): keeps its address from being used again
        std::shared_ptr<const Intervention> intervention;
    };
    std::shared_ptr<const Intervention> look_up(const std::string & key);
    void remember(Entry entry);
    std::string file_stamps(const nlohmann::json & steering) const;

    const Sources & sources_;
    ModelInfo model_;
    std::mutex mutex_;
    std::list<Entry> recent_; ///< the last one used first
};

} // namespace valuelens

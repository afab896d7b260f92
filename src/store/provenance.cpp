#include "store/provenance.h"

#include "base/fail.h"

namespace valuelens {

std::map<std::string, std::string> provenance_metadata(const Provenance & provenance) {
    return {{"model_name", provenance.model_name},
            {"model_hash", provenance.model_hash},
            {"location", provenance.location},
            {"layer_convention", provenance.layer_convention},
            {"tool_version", provenance.tool_version}};
}

Provenance provenance_from_metadata(const std::map<std::string, std::string> & metadata,
                                    const std::filesystem::path & path) {
    const auto value = [&](const char * key) -> const std::string & {
        const auto place = metadata.find(key);
        if (place == metadata.end()) {
            fail(ErrorKind::bad_input,
                 "{}: the metadata has no '{}', so the model it belongs to cannot be checked; make the file with "
                 "valuelens",
                 path.string(), key);
        }
        return place->second;
    };
    return {value("model_name"), value("model_hash"), value("location"), value("layer_convention"),
            value("tool_version")};
}

void require_same_model(const Provenance & provenance, const std::string & identity, const std::string & name,
                        const std::filesystem::path & path) {
    if (provenance.model_hash != identity) {
        fail(ErrorKind::bad_input,
             "{}: was made with model {} (hash {:.12}), the model in use is {} (hash {:.12}); use the same model file",
             path.string(), provenance.model_name, provenance.model_hash, name, identity);
    }
}

void require_same_location(const Provenance & provenance, const std::string & location,
                           const std::filesystem::path & path) {
    if (provenance.location != location) {
        fail(ErrorKind::bad_input, "{}: holds '{}', '{}' was expected", path.string(), provenance.location, location);
    }
    const Provenance expected;
    if (provenance.layer_convention != expected.layer_convention) {
        fail(ErrorKind::bad_input, "{}: counts layers as '{}', '{}' was expected", path.string(),
             provenance.layer_convention, expected.layer_convention);
    }
}

} // namespace valuelens

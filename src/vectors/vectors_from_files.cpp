#include "contrast/stored_activations.h"
#include "store/provenance.h"
#include "vectors/compute.h"

namespace valuelens {

ValueVectorSet vectors_from_files(const std::vector<std::filesystem::path> & activations,
                                  const std::filesystem::path & labels, const std::vector<std::string> & values,
                                  const VectorOptions & options, ProgressSink & progress, std::stop_token stop) {
    const ActivationReader reader(activations);
    require_same_location(reader.provenance(), "resid_post", activations.front());
    const JoinedLabels joined =
        join_labels(reader, load_labels(labels), values, labels.string(), files_name(activations));
    for (const std::string & note : joined.notes) {
        progress.message(LogLevel::warning, note);
    }
    ValueVectorSet set =
        compute_value_vectors(StoredActivationSource(reader), joined.responses, joined.values, options, progress, stop);
    set.notes.insert(set.notes.begin(), joined.notes.begin(), joined.notes.end());
    return set;
}

} // namespace valuelens

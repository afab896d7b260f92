#pragma once

#include <cstdint>
#include <memory>
#include <stop_token>
#include <string>

#include "evaluate/rater.h"
#include "valuelens/embedding_model.h"
#include "valuelens/model.h"
#include "valuelens/progress.h"
#include "valuelens/run_config.h"

namespace valuelens {

/// Who judges: a local chat model or one behind an OpenAI-compatible server.
struct RaterRequest {
    std::string model;   ///< GGUF file, NAME[:TYPE] of the catalogue, or http[s]://host[:port][/path]; empty: nobody
    ServerConfig server; ///< of an address: the rest of what is said about it; its url is `model`
    RaterAnswers answers = RaterAnswers::automatic;
};

/// Whether this is an address, not a model on this machine.
bool names_server(const std::string & model);

/// "auto", "logprobs" or "json".
RaterAnswers rater_answers_of(const std::string & name);

/// What a judge that is opened beside a subject takes from it.
struct RaterSurroundings {
    ModelOptions model; ///< the subject's: threads, GPU layers and date are the judge's, too
    ModelInfo subject;
    int parallel = 32;
    std::uint64_t seed = 0;
};

/// How a local model (a file, or NAME[:TYPE] of the catalogue, fetched where it is missing) is loaded beside another:
/// threads, GPU layers and date are the other's. Throws as resolve_model() does.
ModelOptions options_beside(const std::string & model, const ModelOptions & other, ProgressSink & progress,
                            const std::stop_token & stop);

/// Opens an embedding model beside another model: what DiversityOptions::open_embedding is.
OpenEmbedding embedding_opener(const std::string & model, const ModelOptions & other, ProgressSink & progress,
                               const std::stop_token & stop);

/// Fetches and loads a local judge, or asks a server what it offers. Null where nobody judges. Warns where judge and
/// subject are the same model. `role` ("judge", "classifier") and `option` (what names it: "--judge") stand in
/// messages. Throws as resolve_model(), Model::load(), open_service() and make_server_rater() do.
std::shared_ptr<Rater> open_rater(const RaterRequest & wanted, const std::string & role, const std::string & option,
                                  const RaterSurroundings & beside, ProgressSink & progress,
                                  const std::stop_token & stop);

} // namespace valuelens

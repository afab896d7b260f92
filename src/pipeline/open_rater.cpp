#include "pipeline/open_rater.h"

#include "base/fail.h"
#include "pipeline/open_service.h"
#include "valuelens/models.h"

namespace valuelens {

bool names_server(const std::string & model) {
    return model.find("://") != std::string::npos;
}

RaterAnswers rater_answers_of(const std::string & name) {
    return name == "logprobs" ? RaterAnswers::logprobs : name == "json" ? RaterAnswers::json : RaterAnswers::automatic;
}

ModelOptions options_beside(const std::string & model, const ModelOptions & other, ProgressSink & progress,
                            const std::stop_token & stop) {
    ModelOptions options;
    options.path = resolve_model(model, {.threads = other.threads}, progress, stop).string();
    options.threads = other.threads;
    options.n_gpu_layers = other.n_gpu_layers;
    options.date = other.date;
    return options;
}

OpenEmbedding embedding_opener(const std::string & model, const ModelOptions & other, ProgressSink & progress,
                               const std::stop_token & stop) {
    return [model, other, &progress, stop] {
        return EmbeddingModel::load(options_beside(model, other, progress, stop), progress, stop);
    };
}

std::shared_ptr<Rater> open_rater(const RaterRequest & wanted, const std::string & role, const std::string & option,
                                  const RaterSurroundings & beside, ProgressSink & progress,
                                  const std::stop_token & stop) {
    if (wanted.model.empty()) {
        return nullptr;
    }
    std::shared_ptr<Rater> rater;
    std::string identity;
    if (names_server(wanted.model)) {
        ServerConfig server = wanted.server;
        server.url = wanted.model;
        rater = make_server_rater(open_service(server, option, progress, stop),
                                  {.answers = wanted.answers, .seed = beside.seed, .role = role}, progress, stop);
    } else {
        const std::shared_ptr<Model> model =
            Model::load(options_beside(wanted.model, beside.model, progress, stop), progress, stop);
        identity = model->info().identity;
        rater = make_local_rater(model, {.parallel = beside.parallel}, progress, stop);
    }
    // Another file of the same model (quantised otherwise) bears the same name.
    if (identity == beside.subject.identity || rater->model() == beside.subject.name) {
        progress.message(
            LogLevel::warning,
            fmt::format("{} and subject are the same model ({}): it judges texts of its own kind, with the "
                        "same blind spots. Name another one by {}",
                        role, rater->model(), option));
    }
    return rater;
}

} // namespace valuelens

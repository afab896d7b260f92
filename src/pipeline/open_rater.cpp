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
        ModelOptions options;
        options.path = resolve_model(wanted.model, {.threads = beside.model.threads}, progress, stop).string();
        options.threads = beside.model.threads;
        options.n_gpu_layers = beside.model.n_gpu_layers;
        options.date = beside.model.date;
        const std::shared_ptr<Model> model = Model::load(options, progress, stop);
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

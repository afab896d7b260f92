#include "serve/service.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <random>
#include <utility>
#include <vector>

#include "base/fail.h"
#include "base/random.h"

namespace valuelens {

namespace {

using Clock = std::chrono::steady_clock;
using nlohmann::ordered_json;

std::optional<Guard> load_guard(const ServeOptions & options, const ModelInfo & model, ProgressSink & progress) {
    if (!options.monitor) {
        if (!options.thresholds.empty() || options.defend != Defend::off) {
            fail(ErrorKind::usage, "--thresholds and --defend need --monitor FILE, the directions to watch");
        }
        return std::nullopt;
    }
    Guard guard;
    guard.watch = load_watch(*options.monitor, model, progress);
    guard.defend = options.defend;
    if (!options.thresholds.empty()) {
        guard.thresholds = read_thresholds(options.thresholds, guard.watch);
    }
    if (guard.defend == Defend::flagged && !guard.thresholds) {
        fail(ErrorKind::usage, "--defend flagged needs --thresholds FILE (valuelens monitor --learn)");
    }
    if (guard.defend != Defend::off) {
        // Without thresholds nobody named a guard: the first direction, which is the compliance direction.
        const std::vector<std::string> keys =
            guard.thresholds ? guard.thresholds->guard : std::vector<std::string>{guard.watch.names.front()};
        guard.ablation = load_ablation(options.monitor->file, keys, model);
    }
    return guard;
}

std::uint64_t random_seed() {
    std::random_device device;
    return (static_cast<std::uint64_t>(device()) << 32) | device();
}

std::string stem_of(const std::string & path) {
    return std::filesystem::path(path).stem().string();
}

/// Layers as runs: "0-29", or "3,7-9".
std::string layers_text(const std::vector<int> & layers) {
    std::string text;
    for (std::size_t i = 0; i < layers.size();) {
        std::size_t end = i;
        while (end + 1 < layers.size() && layers[end + 1] == layers[end] + 1) {
            ++end;
        }
        text += text.empty() ? "" : ",";
        text += end == i ? std::to_string(layers[i]) : fmt::format("{}-{}", layers[i], layers[end]);
        i = end + 1;
    }
    return text;
}

ordered_json source_json(const Source & source) {
    ordered_json json = {{"source", source.name}};
    if (!source.problem.empty()) {
        json["problem"] = source.problem;
        return json;
    }
    if (source.kind == Source::Kind::neurons) {
        json["kind"] = "neurons";
        json["groups"] = ordered_json::array();
        for (const NeuronGroup & group : source.groups) {
            json["groups"].push_back({{"value", group.value}, {"category", group.category}, {"count", group.count}});
        }
        return json;
    }
    json["kind"] = "vectors";
    json["units"] = source.resid_unit ? ordered_json::array({"raw", "resid"}) : ordered_json::array({"raw"});
    json["keys"] = ordered_json::array();
    for (const SourceKey & key : source.keys) {
        json["keys"].push_back({{"key", key.key}, {"layers", layers_text(key.layers)}});
    }
    return json;
}

/// Bytes of the longest text that is one token.
std::size_t longest_token(const Model & model) {
    std::size_t longest = 1;
    for (Token token = 0; token < model.info().n_vocab; ++token) {
        longest = std::max(longest, model.detokenize(std::span(&token, 1)).size());
    }
    return longest;
}

} // namespace

Service::Service(const ServeOptions & options, ProgressSink & progress, std::stop_token stop)
    : options_(options), info_(read_model_info(options.model.path)), sources_(options.sources, info_),
      desk_(sources_, info_), guard_(load_guard(options, info_, progress)),
      model_(Model::load(options.model, progress, std::move(stop))),
      model_id_(options.alias.empty() ? stem_of(model_->info().path) : options.alias),
      created_(static_cast<std::int64_t>(std::time(nullptr))), seed_(options.seed ? *options.seed : random_seed()),
      scheduler_(std::make_unique<LiveScheduler>(model_, options.scheduler, progress)),
      gate_(scheduler_->sequences() + options.queue) {
    if (sources_.has_more()) {
        progress.message(LogLevel::warning, fmt::format("{} has more files than serve looks at; put what requests may "
                                                        "name into a folder of its own",
                                                        options.sources.string()));
    }
    room_ = scheduler_->sequences() + options.queue;
    limits_.context = scheduler_->context_size();
    limits_.prompt_bytes = limits_.context * longest_token(*model_);
    limits_.max_tokens = options.max_tokens;
    limits_.choices = static_cast<int>(std::min<std::size_t>(static_cast<std::size_t>(options.max_choices), room_));
}

void Service::refuse_for_lack_of_room() const {
    const double each = metrics_.mean_request_seconds();
    const double wait = each * static_cast<double>(gate_.inside()) / static_cast<double>(sequences());
    ApiError error(429,
                   fmt::format("{} responses are being written or wait, which is all that this server takes; try "
                               "again later",
                               gate_.inside()),
                   {}, "queue_full");
    error.retry_after = static_cast<int>(std::clamp(std::ceil(wait), 1.0, 60.0));
    throw error;
}

std::unique_ptr<Answer> Service::begin(Endpoint endpoint, std::string_view body) {
    const Clock::time_point now = Clock::now();
    if (draining_) {
        throw ApiError(503, "the server is shutting down", {}, "shutting_down");
    }
    if (gate_.inside() >= room_) {
        refuse_for_lack_of_room(); // before any work is put into it
    }
    const std::uint64_t number = requests_++;
    bool steered = false;
    try {
        ApiRequest request = read_api_request(body, endpoint, *model_, model_id_, limits_, guard_.has_value(),
                                              derive_seed(seed_, fmt::format("request/{}", number)), desk_);
        steered = request.steered;
        std::optional<Gate::Pass> pass = gate_.enter(request.choices());
        if (!pass) {
            refuse_for_lack_of_room();
        }
        auto answer = std::unique_ptr<Answer>(new Answer{std::move(*pass), std::move(request), now, nullptr, nullptr});
        const Guard * guard = guard_ ? &*guard_ : nullptr;
        const std::string id = fmt::format("{}-{:016x}", endpoint == Endpoint::chat ? "chatcmpl" : "cmpl",
                                           derive_seed(seed_, fmt::format("id/{}", number)));
        answer->response = std::make_unique<ApiResponse>(answer->request, guard, id, model_id_,
                                                         static_cast<std::int64_t>(std::time(nullptr)));
        answer->generation =
            std::make_unique<Generation>(Generation::Tools{*scheduler_, *model_, desk_, guard}, answer->request);
        return answer;
    } catch (const Error & error) {
        throw to_api_error(error, steered);
    }
}

std::optional<ChoiceDelta> Service::next(Answer & answer, std::chrono::milliseconds patience) {
    if (aborting_) {
        throw ApiError(503, "the server is shutting down", {}, "shutting_down");
    }
    try {
        std::optional<ChoiceDelta> delta = answer.generation->next(patience);
        if (delta && delta->end && guard_) {
            const bool flagged = guard_->thresholds &&
                                 is_flagged(*guard_->thresholds,
                                            exceeding(*guard_->thresholds, *delta->end->watched, /* early = */ false));
            metrics_.count_response(flagged, delta->end->draft.has_value());
        }
        return delta;
    } catch (const Error & error) {
        throw to_api_error(error, answer.request.steered);
    }
}

void Service::finished(const Answer & answer) {
    const auto seconds = [&](Clock::time_point end) {
        return std::chrono::duration<double>(end - answer.begin).count();
    };
    const Usage usage = answer.generation->usage();
    metrics_.count_tokens(usage.prompt_tokens, usage.completion_tokens);
    if (const auto first = answer.generation->first_token()) {
        metrics_.observe_first_token(seconds(*first));
    }
    metrics_.observe_request(seconds(Clock::now()));
}

ordered_json Service::model_json() const {
    const ModelInfo & info = model_->info();
    return {{"id", model_id_},
            {"object", "model"},
            {"created", created_},
            {"owned_by", "valuelens"},
            {"meta",
             {{"name", info.name},
              {"description", info.description},
              {"identity", info.identity},
              {"n_layer", info.n_layer},
              {"n_embd", info.n_embd},
              {"n_vocab", info.n_vocab},
              {"context", context_size()}}}};
}

std::string Service::models() const {
    return json_text({{"object", "list"}, {"data", ordered_json::array({model_json()})}});
}

std::string Service::model(const std::string & id) const {
    if (id != model_id_) {
        throw ApiError(404, fmt::format("there is no model \"{}\" here, only \"{}\"", id.substr(0, 200), model_id_),
                       "model", "model_not_found");
    }
    return json_text(model_json());
}

std::string Service::steering() const {
    ordered_json json = {{"object", "steering"},
                         {"model", model_id_},
                         {"n_layer", model_->info().n_layer},
                         {"n_embd", model_->info().n_embd},
                         {"modes", {"add", "ablate", "clamp"}},
                         {"tokens", {"all", "response", "prompt"}},
                         {"limits",
                          {{"context", limits_.context},
                           {"max_tokens", limits_.max_tokens},
                           {"choices", limits_.choices},
                           {"max_body", options_.max_body}}},
                         {"sources", ordered_json::array()}};
    for (const Source & source : sources_.list()) {
        json["sources"].push_back(source_json(source));
    }
    json["monitor"] = nullptr;
    if (guard_) {
        static constexpr const char * names[] = {"off", "flagged", "all"};
        json["monitor"] = {
            {"directions", guard_->watch.names},
            {"layers", guard_->watch.layers},
            {"thresholds", guard_->thresholds.has_value()},
            {"guard", guard_->thresholds ? ordered_json(guard_->thresholds->guard) : ordered_json(nullptr)},
            {"window", guard_->thresholds ? ordered_json(guard_->window()) : ordered_json(nullptr)},
            {"defend", names[static_cast<int>(guard_->defend)]}};
    }
    return json_text(json);
}

std::string Service::metrics_text() const {
    return metrics_.text(scheduler_->stats(), sequences(), model_id_);
}

} // namespace valuelens

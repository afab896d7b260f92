#include "pipeline/open_judge.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <sstream>
#include <vector>

#include "base/embedded.h"
#include "base/fail.h"
#include "judge/judges.h"
#include "judge/probe.h"
#include "judge/server_judge.h"
#include "pipeline/open_service.h"
#include "pipeline/run_setup.h"
#include "valuelens/models.h"

namespace valuelens {
namespace {

void warn_of_same_model(const std::string & name, const std::string & key, ProgressSink & progress) {
    progress.message(LogLevel::warning,
                     fmt::format("judge and subject are the same model ({}): its labels lean on the very directions "
                                 "that are sought. Give another {}",
                                 name, key));
}

std::shared_ptr<Model> load_judge_model(const std::string & spec, const RunConfig & config, const Subject & subject,
                                        bool engine_is_judges, ProgressSink & progress, std::stop_token stop) {
    ModelOptions options;
    options.path = resolve_model(spec, {}, progress, stop).string();
    options.threads = static_cast<int>(config.threads);
    options.n_gpu_layers = static_cast<int>(config.n_gpu_layers);
    options.date = config.date;
    if (engine_is_judges) {
        options.chat_template = config.chat_template;
        options.chat_template_kwargs = config.chat_template_kwargs;
    }
    std::shared_ptr<Model> model = Model::load(options, progress, stop);
    // Another file of the same model (quantised otherwise) bears the same name.
    if (!subject.identity.empty() &&
        (model->info().identity == subject.identity || model->info().name == subject.name)) {
        warn_of_same_model(model->info().name, "judge.model", progress);
    }
    return model;
}

// What `judge.probe` names: one probe or several.
std::vector<Probe> chosen_probes(const std::string & text, const std::string & subject_name) {
    std::vector<Probe> probes;
    if (text == "auto") {
        for (const std::string & name : shipped_probes()) {
            Probe probe = load_probe(name);
            if (probe.model_name != subject_name) {
                probes.push_back(std::move(probe));
            }
        }
        if (probes.empty()) {
            fail(ErrorKind::usage,
                 "no shipped probe reads another model than the subject {}; name one with judge.probe, or use "
                 "judge.kind = \"ask\"",
                 subject_name);
        }
        return probes;
    }
    const std::vector<std::string> shipped = shipped_probes();
    std::vector<std::string> names;
    std::stringstream parts(text);
    for (std::string name; std::getline(parts, name, '+');) {
        names.push_back(name);
    }
    const bool all_shipped = std::all_of(names.begin(), names.end(), [&](const std::string & name) {
        return std::find(shipped.begin(), shipped.end(), name) != shipped.end();
    });
    if (!all_shipped || names.empty()) {
        return {load_probe(text)}; // a file, whatever its name
    }
    for (const std::string & name : names) {
        probes.push_back(load_probe(name));
    }
    return probes;
}

void require_judge_model(const RunConfig & config) {
    if (config.judge_model.empty()) {
        fail(ErrorKind::usage,
             "judge.kind = \"ask\" needs judge.model: a GGUF file, or NAME[:TYPE] of `valuelens models list`");
    }
}

// Where judge and subject are both here and the same, that is said now and not after hours of generating.
void check_judge_model(const std::string & spec, const Subject & subject, ProgressSink & progress) {
    const std::optional<ModelInfo> judge = require_known_model(spec, "judge.model");
    if (judge && !subject.identity.empty() && (subject.identity == judge->identity || subject.name == judge->name)) {
        warn_of_same_model(judge->name, "judge.model", progress);
    }
}

// How a committee was measured stands in data/probes/committees.json under its members' names.
std::string committee_quality(const std::vector<Probe> & probes) {
    if (probes.size() == 1) {
        return probes.front().quality;
    }
    std::vector<std::string> names;
    for (const Probe & probe : probes) {
        names.push_back(probe.name);
    }
    std::sort(names.begin(), names.end());
    const auto file = find_embedded("probes/committees.json");
    const nlohmann::json all = nlohmann::json::parse(file.value_or("{}"));
    const auto entry = all.find(fmt::format("{}", fmt::join(names, "+")));
    return entry == all.end() ? "" : entry->dump();
}

OpenJudge open_server_judge(const RunConfig & config, const ConceptSet & concepts, ProgressSink & progress,
                            std::stop_token stop, const std::filesystem::path & kept_answers) {
    ServerJudgeOptions options;
    options.kept_answers = kept_answers;
    options.answers = config.judge_answers == "logprobs" ? ServerAnswers::logprobs
                      : config.judge_answers == "json"   ? ServerAnswers::json
                                                         : ServerAnswers::automatic;
    options.answer_tokens = static_cast<int>(config.judge_answer_tokens);
    options.prices = prices_of(config.judge_server);
    options.seed = static_cast<std::uint64_t>(config.seed);
    load_ask_prompt(config.judge_prompt, ""); // a prompt that cannot be used is said before the server is asked
    std::unique_ptr<ChatService> service = open_service(config.judge_server, "judge.url", progress, stop);
    options.prompt = load_ask_prompt(config.judge_prompt, service->model());
    std::string quality = options.prompt.quality;
    if (config.generate_source == "server" && config.generate_server.model == service->model()) {
        warn_of_same_model(service->model(), "judge.server_model", progress);
    }
    return {make_server_judge(std::move(service), concepts, std::move(options), progress, std::move(stop)),
            std::move(quality)};
}

} // namespace

OpenJudge open_judge(const RunConfig & config, const ConceptSet & concepts, const Subject & subject,
                     ProgressSink & progress, std::stop_token stop, bool engine_is_judges,
                     const std::filesystem::path & kept_answers) {
    SchedulerOptions scheduler;
    scheduler.parallel = static_cast<int>(config.judge_parallel);
    if (engine_is_judges) {
        scheduler.ctx_size = static_cast<int>(config.ctx_size);
        scheduler.kv_type = config.kv_type;
    }
    if (config.judge_kind == "probe") {
        std::vector<Probe> probes = chosen_probes(config.judge_probe, subject.name);
        if (!config.judge_model.empty() && probes.size() > 1) {
            fail(ErrorKind::usage,
                 "judge.model names one model, but judge.probe = \"{}\" means {} probes, each with a model of its own",
                 config.judge_probe, probes.size());
        }
        std::string quality = committee_quality(probes);
        const ProbePrior prior = config.judge_prior == "balanced" ? ProbePrior::balanced : ProbePrior::training;
        std::vector<std::unique_ptr<Judge>> members;
        for (Probe & probe : probes) {
            const std::string spec = config.judge_model.empty() ? probe.model : config.judge_model;
            if (spec.empty()) {
                fail(ErrorKind::usage, "the probe {} does not say which model it reads; give judge.model", probe.name);
            }
            std::shared_ptr<Model> model = load_judge_model(spec, config, subject, engine_is_judges, progress, stop);
            members.push_back(make_probe_judge(std::move(probe), std::move(model), scheduler, concepts, prior));
        }
        return {make_committee(std::move(members)), std::move(quality)};
    }
    if (config.judge_kind == "ask") {
        require_judge_model(config);
        std::shared_ptr<Model> model =
            load_judge_model(config.judge_model, config, subject, engine_is_judges, progress, stop);
        AskPrompt prompt = load_ask_prompt(config.judge_prompt, model->info().name);
        std::string quality = prompt.quality;
        return {make_ask_judge(std::move(model), scheduler, concepts, std::move(prompt)), std::move(quality)};
    }
    if (config.judge_kind == "server") {
        return open_server_judge(config, concepts, progress, std::move(stop), kept_answers);
    }
    if (config.judge_file.empty()) {
        fail(ErrorKind::usage, "judge.kind = \"{}\" needs judge.file", config.judge_kind);
    }
    return {config.judge_kind == "file" ? make_file_judge(config.judge_file, concepts)
                                        : make_dictionary_judge(config.judge_file, concepts),
            ""};
}

void check_judge_config(const RunConfig & config, const ConceptSet & concepts, ProgressSink & progress,
                        std::stop_token stop) {
    Subject subject; // unknown where it is yet to be fetched
    if (const std::optional<std::filesystem::path> file = local_model(config.model)) {
        const ModelInfo info = read_model_info(file->string());
        subject = {info.name, info.identity};
    }
    if (config.judge_kind == "probe") {
        for (const Probe & probe : chosen_probes(config.judge_probe, subject.name)) {
            require_concepts(probe, concepts);
            check_judge_model(config.judge_model.empty() ? probe.model : config.judge_model, subject, progress);
        }
    } else if (config.judge_kind == "ask") {
        require_judge_model(config);
        load_ask_prompt(config.judge_prompt, "");
        check_judge_model(config.judge_model, subject, progress);
    } else {
        open_judge(config, concepts, {}, progress, std::move(stop));
    }
}

void announce_cost(const Judge & judge, const JudgeWork & work, ProgressSink & progress) {
    if (const std::string cost = judge.estimate(work); !cost.empty()) {
        progress.message(LogLevel::info, "judge: " + cost);
    }
}

} // namespace valuelens

#include "cli/engine_options.h"

#include <filesystem>
#include <nlohmann/json.hpp>

#include "base/fail.h"
#include "base/file.h"
#include "valuelens/models.h"

namespace valuelens {

namespace {

constexpr const char * group = "Engine";

CLI::Validator date_validator() {
    return CLI::Validator(
        [](std::string & text) -> std::string {
            const std::string_view pattern = "dddd-dd-dd";
            bool fits = text.size() == pattern.size();
            for (std::size_t i = 0; fits && i < pattern.size(); ++i) {
                fits = pattern[i] == 'd' ? text[i] >= '0' && text[i] <= '9' : text[i] == pattern[i];
            }
            return fits ? "" : "\"" + text + "\" is no date, write YYYY-MM-DD";
        },
        "");
}

CLI::Validator json_object_validator() {
    return CLI::Validator(
        [](std::string & text) -> std::string {
            return nlohmann::json::parse(text, nullptr, false).is_object() ? "" : "\"" + text + "\" is no JSON object";
        },
        "");
}

template <typename Value, typename Target>
void put(const std::optional<Value> & given, Target & target) {
    if (given) {
        target = *given;
    }
}

} // namespace

void add_threads_option(CLI::App & command, std::optional<int> & threads) {
    command.add_option("-t,--threads", threads, "Threads (0: one for each physical core)")
        ->check(non_negative_number())
        ->type_name("N")
        ->group(group);
}

void add_seed_option(CLI::App & command, std::optional<std::uint64_t> & seed) {
    command.add_option("--seed", seed, "Seed of everything that is drawn (0)")
        ->check(non_negative_number())
        ->type_name("N")
        ->group(group);
}

CLI::Option * add_engine_options(CLI::App & command, EngineOptions & options) {
    const ModelOptions model;
    const SchedulerOptions scheduler;
    CLI::Option * model_option =
        command.add_option("-m,--model", options.model, "GGUF file, or NAME[:TYPE] of `valuelens models list`")
            ->type_name("MODEL")
            ->group(group);
    add_threads_option(command, options.threads);
    command
        .add_option("--n-gpu-layers", options.n_gpu_layers,
                    fmt::format("Also -ngl. Blocks on the GPU; -1: as many as fit ({})", model.n_gpu_layers))
        ->check(unnamed(CLI::Range(-1, 100000)))
        ->type_name("N")
        ->group(group);
    command
        .add_option("-c,--ctx-size", options.ctx_size,
                    fmt::format("Longest prompt and response in tokens; 0: as needed ({})", scheduler.ctx_size))
        ->check(non_negative_number())
        ->type_name("N")
        ->group(group);
    command
        .add_option("--parallel", options.parallel,
                    fmt::format("Also -np. Sequences in flight ({})", scheduler.parallel))
        ->check(positive_number())
        ->type_name("N")
        ->group(group);
    add_seed_option(command, options.seed);
    command
        .add_option("--kv-type", options.kv_type,
                    fmt::format("Type of the KV cache: auto, f32, f16, bf16, q8_0, ... ({})", scheduler.kv_type))
        ->type_name("TYPE")
        ->group(group);
    command
        .add_option("--chat-template", options.chat_template,
                    "Jinja chat template (a file or the text) instead of the model's own")
        ->type_name("FILE|TEXT")
        ->group(group);
    command.add_option("--chat-template-kwargs", options.chat_template_kwargs, "Arguments of the chat template")
        ->check(json_object_validator())
        ->type_name("JSON")
        ->group(group);
    command
        .add_option("--date", options.date, fmt::format("Date for chat templates that print today's ({})", model.date))
        ->check(date_validator())
        ->type_name("YYYY-MM-DD")
        ->group(group);
    return model_option;
}

std::string chat_template_text(const std::string & text_or_path) {
    if (text_or_path.find("{%") == std::string::npos && text_or_path.find("{{") == std::string::npos) {
        if (!std::filesystem::exists(text_or_path)) {
            fail(ErrorKind::usage, "--chat-template {}: is neither a file nor a Jinja template (no {{{{ or {{%)",
                 text_or_path);
        }
        return read_file(text_or_path);
    }
    return text_or_path;
}

void apply_engine_options(const EngineOptions & options, ModelOptions & model, SchedulerOptions & scheduler) {
    put(options.model, model.path);
    put(options.threads, model.threads);
    put(options.n_gpu_layers, model.n_gpu_layers);
    if (options.chat_template) {
        model.chat_template = chat_template_text(*options.chat_template);
    }
    put(options.chat_template_kwargs, model.chat_template_kwargs);
    put(options.date, model.date);
    put(options.ctx_size, scheduler.ctx_size);
    put(options.parallel, scheduler.parallel);
    put(options.kv_type, scheduler.kv_type);
}

void apply_and_resolve(const EngineOptions & options, ModelOptions & model, SchedulerOptions & scheduler,
                       Context & context) {
    apply_engine_options(options, model, scheduler);
    model.path = resolve_model(model.path, {.threads = model.threads}, context.console, context.stop).string();
}

} // namespace valuelens

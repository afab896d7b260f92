#include "valuelens/models.h"

#include <memory>

#include "base/fail.h"
#include "cli/command.h"
#include "cli/engine_options.h"
#include "cli/result_json.h"

namespace valuelens {

namespace {

std::string megabytes(std::uint64_t bytes) {
    return fmt::format("{:.0f} MB", static_cast<double>(bytes) / 1e6);
}

Outcome run_models_list() {
    const std::vector<CachedModel> cached = cached_models();
    nlohmann::ordered_json models = nlohmann::ordered_json::array();
    std::string text;
    for (const CatalogueEntry & entry : catalogue()) {
        nlohmann::ordered_json files = nlohmann::ordered_json::array();
        text += fmt::format("{}{}\n    {} ({}, {}, fetched as {} by default)\n", text.empty() ? "" : "\n", entry.name,
                            entry.description, entry.license, megabytes(entry.bytes), entry.default_type);
        for (const CachedModel & model : cached) {
            if (model.name == entry.name) {
                files.push_back({{"type", model.type}, {"path", model.path.string()}, {"bytes", model.bytes}});
                text += fmt::format("    have {}: {} ({})\n", model.type, model.path.string(), megabytes(model.bytes));
            }
        }
        models.push_back({
            {"name", entry.name},
            {"description", entry.description},
            {"license", entry.license},
            {"sha256", entry.sha256},
            {"bytes", entry.bytes},
            {"default_type", entry.default_type},
            {"cached", std::move(files)},
        });
    }
    if (text.ends_with('\n')) {
        text.pop_back();
    }
    return {{{"models", std::move(models)}}, std::move(text)};
}

struct FetchCommandOptions {
    std::string name;
    std::string type;
    std::optional<int> threads;
};

Outcome run_models_fetch(const FetchCommandOptions & options, Context & context) {
    const std::string path =
        fetch_model(options.name, options.type, {.threads = options.threads.value_or(0)}, context.console, context.stop)
            .string();
    return {{{"path", path}}, path};
}

Outcome run_models_info(const std::string & file) {
    const ModelInfo info = read_model_info(file);
    const nlohmann::ordered_json json = model_json(info);
    std::string text;
    for (const auto & [key, value] : json.items()) {
        if (value == "") {
            continue; // llama.cpp describes a model only once it is loaded
        }
        text += fmt::format("{}{:<18} {}", text.empty() ? "" : "\n", key,
                            value.is_string() ? value.get<std::string>() : value.dump());
    }
    return {json, std::move(text)};
}

} // namespace

void setup_models(CLI::App & app, Context & context) {
    CLI::App * models = app.add_subcommand("models", "List, fetch or look into models");
    models->require_subcommand(1);

    add_command(*models, context, "list", "The models that can be fetched, and those that are here",
                "valuelens models list", [] { return run_models_list(); });

    auto fetch_options = std::make_shared<FetchCommandOptions>();
    CLI::App * fetch = add_command(*models, context, "fetch", "Fetch a model, once, and print where it lies",
                                   "valuelens models fetch smollm2-135m --type bf16",
                                   [fetch_options, &context] { return run_models_fetch(*fetch_options, context); });
    fetch->add_option("name", fetch_options->name, "One of `valuelens models list`")->required()->type_name("NAME");
    fetch
        ->add_option("--type", fetch_options->type,
                     fmt::format("Convert the weights: {} (the model's default type)", fmt::join(model_types(), ", ")))
        ->type_name("TYPE");
    add_threads_option(*fetch, fetch_options->threads);

    auto file = std::make_shared<std::string>();
    CLI::App * info = add_command(*models, context, "info", "What a GGUF file says about itself",
                                  "valuelens models info model.gguf", [file] { return run_models_info(*file); });
    info->add_option("file", *file, "GGUF file; of a multi-part model, the first part")->required()->type_name("FILE");
}

} // namespace valuelens

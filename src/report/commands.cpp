#include "report/commands.h"

#include <algorithm>
#include <optional>
#include <set>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "valuelens/evaluation.h"
#include "valuelens/run_config.h"

namespace valuelens {

namespace {

/// A command line in the making.
class Command {
public:
    explicit Command(std::string start) : text(std::move(start)) {}

    void flag(const char * name) { text += fmt::format(" {}", name); }
    void option(const char * name, const std::string & value) {
        text += fmt::format(" {} {}", name, shell_quoted(value));
    }
    /// A number that is there and not the default.
    void changed(const char * name, double value, double standard) {
        if (!std::isnan(value) && std::abs(value - standard) > 1e-9) {
            option(name, fmt::format("{}", value));
        }
    }

    std::string text;
};

std::string text_at(const Json & object, const char * key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::vector<std::string> texts_at(const Json & object, const char * key) {
    std::vector<std::string> texts;
    for (const Json & text : object.value(key, Json::array())) {
        if (text.is_string()) {
            texts.push_back(text);
        }
    }
    return texts;
}

const Json & part(const Json & model, const char * key) {
    static const Json none = Json::object();
    const auto found = model.find(key);
    return found == model.end() || !found->is_object() ? none : *found;
}

Command of_stage(const Json & model, const char * stage) {
    return Command(fmt::format("valuelens {} --run {}", stage, shell_quoted(text_at(model, "run"))));
}

std::string vectors_command(const Json & model, const RunConfig & standard) {
    const Json & options = part(part(model, "vectors"), "options");
    Command command = of_stage(model, "vectors");
    command.changed("--min-count", number_at(options, "min_count"), static_cast<double>(standard.min_count));
    command.changed("--held-out", number_at(options, "held_out"), standard.held_out);
    command.changed("--bootstraps", number_at(options, "bootstraps"), static_cast<double>(standard.bootstraps));
    command.changed("--confidence", number_at(options, "confidence"), standard.confidence);
    command.changed("--seed", number_at(options, "seed"), static_cast<double>(standard.seed));
    return command.text;
}

std::string decompose_command(const Json & model, const RunConfig & standard) {
    const Json & options = part(part(model, "axes"), "options");
    Command command = of_stage(model, "decompose");
    if (options.value("normalize", false)) {
        command.flag("--normalize");
    }
    // Files hold the layer range that was taken, stated or not: the middle half need not be stated.
    const double first = number_at(options, "first_layer"), last = number_at(options, "last_layer");
    const auto n_layer = static_cast<std::size_t>(std::max(0.0, part(model, "axes").value("n_layer", 0.0)));
    const auto quarter = static_cast<double>(n_layer / 4);
    if (!std::isnan(first) && (first != quarter || last != static_cast<double>(n_layer) - quarter - 1)) {
        command.option("--layers", fmt::format("{}-{}", first, last));
    }
    command.changed("--bootstraps", number_at(options, "bootstraps"), static_cast<double>(standard.bootstraps));
    command.changed("--confidence", number_at(options, "confidence"), standard.confidence);
    command.changed("--permutations", number_at(options, "permutations"), static_cast<double>(standard.permutations));
    command.changed("--null-draws", number_at(options, "null_draws"), static_cast<double>(standard.null_draws));
    command.changed("--seed", number_at(options, "seed"), static_cast<double>(standard.seed));
    return command.text;
}

std::string neurons_command(const Json & model, const RunConfig & standard) {
    const Json & options = part(part(model, "neurons"), "options");
    Command command = of_stage(model, "neurons");
    command.changed("--top-percent", number_at(options, "top_percent"), standard.top_percent);
    command.changed("--max-angle", number_at(options, "max_angle"), standard.max_angle);
    if (const std::string scope = text_at(options, "scope"); !scope.empty() && scope != standard.neuron_scope) {
        command.option("--scope", scope);
    }
    if (options.value("anti_shared", false)) {
        command.flag("--anti-shared");
    }
    command.changed("--null-draws", number_at(options, "null_draws"), static_cast<double>(standard.neuron_null_draws));
    command.changed("--confidence", number_at(options, "confidence"), standard.confidence);
    command.changed("--seed", number_at(options, "seed"), static_cast<double>(standard.seed));
    return command.text;
}

/// The interventions of an evaluation as they were given: one set of specifications, or one with {value} in it.
struct Interventions {
    std::vector<std::string> steer, scale_neurons, values;
};

std::string with_slot(std::string spec, const std::string & value) {
    for (std::size_t at = spec.find(value); at != std::string::npos && !value.empty(); at = spec.find(value, at)) {
        spec.replace(at, value.size(), "{value}");
        at += 7;
    }
    return spec;
}

/// Several variants come from specifications with {value} (named by their value). Nothing: from something else.
std::optional<Interventions> interventions_of(const Json & evaluation) {
    std::vector<Json> steered;
    for (const Json & variant : evaluation.value("variants", Json::array())) {
        if (text_at(variant, "name") != "base") {
            steered.push_back(variant);
        }
    }
    if (steered.empty()) {
        return Interventions{};
    }
    if (steered.size() == 1 && text_at(steered.front(), "name") == "steered") {
        return Interventions{texts_at(steered.front(), "steer"), texts_at(steered.front(), "scale_neurons"), {}};
    }
    std::set<std::pair<std::vector<std::string>, std::vector<std::string>>> shapes;
    Interventions result;
    for (const Json & variant : steered) {
        const std::string value = text_at(variant, "name");
        result.values.push_back(value);
        result.steer = texts_at(variant, "steer");
        result.scale_neurons = texts_at(variant, "scale_neurons");
        for (std::vector<std::string> * specs : {&result.steer, &result.scale_neurons}) {
            std::transform(specs->begin(), specs->end(), specs->begin(),
                           [&](const std::string & spec) { return with_slot(spec, value); });
        }
        shapes.emplace(result.steer, result.scale_neurons);
    }
    return shapes.size() == 1 ? std::optional(result) : std::nullopt;
}

/// An option of an evaluation: the setting that keeps it and the value that need not be said.
struct SettingOption {
    const char * setting;
    const char * option;
    const char * standard;
    bool has_unit = false; ///< the setting says after the value what it counts: "20 prompts"
};

constexpr SettingOption setting_options[] = {
    {"input", "--input", ""},
    {"language", "--language", "en"},
    {"languages", "--languages", "en,zh,es,fr,ko"},
    {"limit", "--limit", "0"},
    {"shots", "--shots", "0"},
    {"parse", "--parse", "logprobs"},
    {"min_correlation", "--min-correlation", "0.3"},
    {"block", "--block", "20", true},
    {"vocabulary", "--vocabulary", "50000", true},
    {"min_words", "--min-words", "10"},
    {"embedding_model", "--embedding-model", ""},
    {"judge", "--judge", ""},
    {"judge_prompt", "--judge-prompt", "shipped"},
    {"classifier", "--classifier", ""},
    {"benign", "--benign", ""},
    {"ctx_size", "--ctx-size", "0"},
    {"kv_type", "--kv-type", "auto"},
    {"chat_template_kwargs", "--chat-template-kwargs", ""},
};

/// Options whose default depends on the evaluation; "": it has none of that name.
struct OwnDefaults {
    const char * evaluation;
    const char * max_tokens;
    const char * samples;
    const char * temperature;
};

constexpr OwnDefaults own_defaults[] = {
    {"instructions", "512", "", ""}, {"diversity", "128", "4", "1"},  {"freeform", "128", "", ""},
    {"dilemmas", "160", "", ""},     {"compliance", "256", "9", "1"},
};

void add_settings(Command & command, const Json & settings, const std::string & name) {
    const auto add = [&](const SettingOption & one) {
        const std::string stored = text_at(settings, one.setting);
        const std::string value = one.has_unit ? stored.substr(0, stored.find(' ')) : stored;
        if (!value.empty() && value != one.standard) {
            command.option(one.option, value);
        }
    };
    for (const SettingOption & one : setting_options) {
        add(one);
    }
    for (const OwnDefaults & own : own_defaults) {
        if (name == own.evaluation) {
            add({"max_tokens", "--max-tokens", own.max_tokens});
            if (*own.samples != '\0') {
                add({"samples", "--samples", own.samples});
                add({"temperature", "--temperature", own.temperature});
            }
        }
    }
    if (text_at(settings, "values") == "all") {
        command.flag("--every-value");
    }
}

Command with_model(const Json & model, const std::string & start) {
    Command command(start);
    command.option("-m", model.at("model").value("path", "MODEL.gguf"));
    return command;
}

void add_numbers(Command & command, const Json & file) {
    const EvaluationOptions standard;
    command.changed("--bootstraps", number_at(file, "bootstraps"), static_cast<double>(standard.bootstraps));
    command.changed("--confidence", number_at(file, "confidence"), standard.confidence);
    command.changed("--seed", number_at(file, "seed"), static_cast<double>(standard.seed));
}

} // namespace

std::string shell_quoted(const std::string & word) {
    // Names that are usual in paths and specifications need no quotes.
    if (!word.empty() &&
        word.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,=@+%") ==
            std::string::npos) {
        return word;
    }
    std::string text = "'";
    for (const char c : word) {
        text += c == '\'' ? std::string("'\\''") : std::string(1, c);
    }
    return text + "'";
}

Json stage_commands(const Json & model) {
    const RunConfig standard;
    return {{"judge", of_stage(model, "judge").text},
            {"vectors", vectors_command(model, standard)},
            {"decompose", decompose_command(model, standard)},
            {"neurons", neurons_command(model, standard)}};
}

std::string evaluation_command(const Json & model, const Json & evaluation) {
    const std::string name = text_at(evaluation, "evaluation");
    const std::optional<Interventions> given = interventions_of(evaluation);
    if (!given) { // [evaluate] of the run's configuration names a direction and a strength in each variant
        return of_stage(model, "eval").text;
    }
    Command command = with_model(model, "valuelens eval " + shell_quoted(name));
    for (const std::string & spec : given->steer) {
        command.option("--steer", spec);
    }
    for (const std::string & spec : given->scale_neurons) {
        command.option("--scale-neurons", spec);
    }
    if (!given->values.empty()) {
        command.option("--values", fmt::format("{}", fmt::join(given->values, ",")));
    }
    add_settings(command, part(evaluation, "settings"), name);
    add_numbers(command, evaluation);
    command.option("--output", text_at(evaluation, "file"));
    return command.text;
}

std::string tune_command(const Json & model, const Json & tune) {
    Command command = with_model(model, "valuelens tune");
    const bool neurons = text_at(tune, "strength") == "beta";
    std::vector<std::string> interventions, ranges;
    std::set<double> strengths;
    bool by_auroc = false;
    for (const Json & curve : tune.at("curves")) {
        const std::string intervention = text_at(curve, "intervention");
        if (std::find(interventions.begin(), interventions.end(), intervention) == interventions.end()) {
            interventions.push_back(intervention);
        }
        by_auroc = by_auroc || !std::isnan(number_at(curve, "auroc"));
        if (const Json layers = curve.value("layers", Json()); layers.is_array() && layers.size() == 2) {
            const std::string range = fmt::format("{}-{}", layers[0].dump(), layers[1].dump());
            if (std::find(ranges.begin(), ranges.end(), range) == ranges.end()) {
                ranges.push_back(range);
            }
        }
        for (const Json & point : curve.at("points")) {
            strengths.insert(number_at(point, "strength"));
        }
    }
    for (const std::string & intervention : interventions) {
        command.option(neurons ? "--scale-neurons" : "--steer", intervention);
    }
    if (!strengths.empty()) {
        command.text += fmt::format(" --grid={}", fmt::join(strengths, ","));
    }
    if (!ranges.empty()) {
        command.option("--layers", by_auroc ? "auto" : fmt::format("{}", fmt::join(ranges, ",")));
    }
    for (const Json & file : by_auroc ? tune.value("files", Json::array()) : Json::array()) {
        if (const std::string name = text_at(file, "file"); name.find("vectors") != std::string::npos) {
            command.option("--vectors", name);
        }
    }
    command.changed("--max-drop", number_at(tune, "max_drop"), 5);
    // tune names its two inputs; add_settings() knows the --input of an evaluation.
    Json questions = part(part(tune, "questions"), "settings");
    for (const auto & [option, input] :
         {std::pair("--questions", text_at(questions, "input")),
          std::pair("--portraits", text_at(part(part(tune, "portraits"), "settings"), "input"))}) {
        if (!input.empty()) {
            command.option(option, input);
        }
    }
    questions.erase("input");
    add_settings(command, questions, "multiple-choice");
    if (const std::string language = text_at(part(part(tune, "portraits"), "settings"), "language");
        !language.empty() && language != "en") {
        command.option("--language", language);
    }
    add_numbers(command, tune);
    command.option("--output", text_at(tune, "file"));
    return command.text;
}

bool options_are_kept(const char * list, const Json & entry) {
    const std::string name = list;
    // Files of answers hold no sampling; of --layers auto tune keeps neither --window nor --candidates.
    return name == "evaluations" ||
           (name == "tunes" && std::none_of(entry.at("curves").begin(), entry.at("curves").end(),
                                            [](const Json & curve) { return !std::isnan(number_at(curve, "auroc")); }));
}

std::string sample_command(const Json & model, const Json & sample) {
    Command command = with_model(model, "valuelens sample");
    if (const Json & asked = part(sample, "asked"); asked.contains("user")) {
        command.option("--prompt", text_at(asked, "user"));
        if (asked.contains("system")) {
            command.option("--system", text_at(asked, "system"));
        }
    } else {
        const std::string prompts = text_at(sample, "prompts_file");
        command.option("--input", prompts.empty() ? "PROMPTS.jsonl" : prompts);
    }
    std::vector<std::string> said;
    for (const Json & prompt : sample.at("prompts")) {
        for (const Json & answer : prompt.at("answers")) {
            const std::string intervention = text_at(answer, "intervention");
            if (intervention == "base" || std::find(said.begin(), said.end(), intervention) != said.end()) {
                continue;
            }
            said.push_back(intervention);
            // With --together the parts of one intervention are joined by " + ".
            for (std::size_t begin = 0; begin <= intervention.size();) {
                const std::size_t end = std::min(intervention.find(" + ", begin), intervention.size());
                const std::string spec = intervention.substr(begin, end - begin);
                command.option(spec.find(".csv") == std::string::npos ? "--steer" : "--scale-neurons", spec);
                begin = end + 3;
            }
        }
    }
    if (said.size() == 1 && said.front().find(" + ") != std::string::npos) {
        command.flag("--together");
    }
    command.option("--output", text_at(sample, "file"));
    return command.text;
}

} // namespace valuelens

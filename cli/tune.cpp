#include "valuelens/tune.h"

#include <charconv>
#include <cmath>
#include <memory>

#include "base/fail.h"
#include "cli/command.h"
#include "cli/engine_options.h"
#include "cli/intervention_options.h"
#include "pipeline/spec_text.h"

namespace valuelens {

namespace {

struct TuneCommandOptions {
    EngineOptions engine;
    InterventionOptions intervention;
    std::string grid;
    std::string layers;
    TuneOptions tune; ///< the defaults of the rest
};

std::vector<std::string> split_commas(const std::string & text) {
    std::vector<std::string> parts;
    for (std::size_t begin = 0; begin <= text.size();) {
        const std::size_t comma = std::min(text.find(',', begin), text.size());
        parts.push_back(text.substr(begin, comma - begin));
        begin = comma + 1;
    }
    return parts;
}

std::vector<float> parse_grid(const std::string & text) {
    std::vector<float> grid;
    for (const std::string & part : split_commas(text)) {
        float number = 0;
        const auto [end, problem] = std::from_chars(part.data(), part.data() + part.size(), number);
        if (problem != std::errc() || end != part.data() + part.size()) {
            fail(ErrorKind::usage, "--grid {}: \"{}\" is not a number; write them with commas between (1,2,4)", text,
                 part);
        }
        grid.push_back(number);
    }
    return grid;
}

std::vector<LayerSpan> parse_spans(const std::string & text) {
    std::vector<LayerSpan> spans;
    for (const std::string & part : split_commas(text)) {
        const std::optional<LayerRange> range = parse_layer_range(part);
        if (!range) {
            fail(ErrorKind::usage,
                 "--layers {}: \"{}\" is no range; write auto, or A-B with block numbers from 0, several with commas "
                 "between",
                 text, part);
        }
        spans.push_back({range->first, range->last});
    }
    return spans;
}

std::string cell(const Estimate & estimate) {
    if (std::isnan(estimate.value)) {
        return "-";
    }
    return std::isnan(estimate.low)
               ? fmt::format("{:.2f}", estimate.value)
               : fmt::format("{:.2f} [{:.2f}, {:.2f}]", estimate.value, estimate.low, estimate.high);
}

std::string choice_text(const TuneCurve & curve, const TuneChoice & choice, const char * name, double max_drop) {
    if (!choice.point) {
        return fmt::format("already the weakest costs {} points or more, or its cost is not known\n", max_drop);
    }
    const std::string certain =
        choice.certain ? fmt::format("{} = {}", name, curve.points[*choice.certain].strength) : std::string("none");
    return fmt::format("{} = {} (with its interval below {} points: {})\n", name, curve.points[*choice.point].strength,
                       max_drop, certain);
}

bool any_beyond(const TuneCurve & curve, bool above, float unchanged) {
    return std::any_of(curve.points.begin(), curve.points.end(),
                       [&](const TunePoint & point) { return (point.strength > unchanged) == above; });
}

std::string curve_text(const TuneCurve & curve, const TuneResult & result) {
    const bool neurons = !result.options.scale_neurons.empty();
    const char * name = neurons ? "beta" : "alpha";
    const float unchanged = neurons ? 1 : 0;
    std::string text = "\n" + curve.intervention;
    if (curve.layers) {
        text += fmt::format(", layers {}-{}", curve.layers->first, curve.layers->last);
    }
    text += std::isnan(curve.auroc) ? "\n" : fmt::format(" (held-out AUROC {:.3f})\n", curve.auroc);
    text += fmt::format("{:>10}  {:<22}  {:<22}  {:<22}  {}\n", name, "drop of accuracy", "of answer probability",
                        curve.value.empty() ? "gain" : "gain of " + curve.value, "centred");
    for (const TunePoint & point : curve.points) {
        text += fmt::format("{:>10}  {:<22}  {:<22}  {:<22}  {}\n", point.strength, cell(point.drop),
                            cell(point.probability_drop), cell(point.gain), cell(point.gain_centred));
    }
    for (const bool above : {true, false}) {
        if (any_beyond(curve, above, unchanged)) {
            text += fmt::format("{} {}: ", above ? "above" : "below", unchanged) +
                    choice_text(curve, above ? curve.above : curve.below, name, result.options.max_drop);
        }
    }
    return text;
}

std::string describe(const TuneResult & result) {
    std::string text =
        fmt::format("{}: accuracy {} % on {} questions as it is; strengths may cost less than {} points\n",
                    result.questions.model_name, cell(result.questions.find("accuracy")->scores.front().estimate),
                    result.questions.items.size(), result.options.max_drop);
    for (const TuneCurve & curve : result.curves) {
        text += curve_text(curve, result);
    }
    for (const TuneBest & best : result.best) {
        text += fmt::format("\nlargest gain: {}\n", result.curves[best.curve].points[best.point].intervention);
    }
    return text + "\n" + result.options.output.string();
}

Outcome run_tune(const TuneCommandOptions & given, Context & context) {
    TuneOptions options = given.tune;
    options.steer = given.intervention.steer;
    options.scale_neurons = given.intervention.scale_neurons;
    options.grid = parse_grid(given.grid);
    options.auto_layers = given.layers == "auto";
    if (!given.layers.empty() && !options.auto_layers) {
        options.layers = parse_spans(given.layers);
    }
    options.evaluation.seed = given.engine.seed.value_or(options.evaluation.seed);
    apply_and_resolve(given.engine, options.model, options.scheduler, context);
    const TuneResult result = tune(options, context.console, context.stop);
    nlohmann::ordered_json json = {{"output", options.output.string()}};
    json.update(nlohmann::ordered_json::parse(tune_json(result)));
    return {std::move(json), describe(result)};
}

CLI::Option * add_path(CLI::App & command, const char * name, std::filesystem::path & path, const char * help) {
    return command
        .add_option_function<std::string>(
            name, [&path](const std::string & text) { path = text; }, help)
        ->type_name("FILE");
}

} // namespace

void setup_tune(CLI::App & app, Context & context) {
    auto options = std::make_shared<TuneCommandOptions>();
    TuneOptions & tune = options->tune;
    CLI::App * command = add_command(
        app, context, "tune", "How strong an intervention may be before it costs capability, and what it gains",
        "valuelens tune -m smollm2-135m --steer axes.safetensors:power/shared,unit=resid --grid 0.05,0.1,0.2,0.4 "
        "--layers auto --vectors vectors.safetensors --output tune.json",
        [options, &context] { return run_tune(*options, context); });
    add_engine_options(*command, options->engine)->required();
    add_intervention_options(*command, options->intervention);
    command
        ->add_option("--grid", options->grid,
                     "Strengths to try: alphas of --steer, betas of --scale-neurons; negative ones as --grid=-2,2")
        ->required()
        ->type_name("X,X,...");
    command
        ->add_option("--max-drop", tune.max_drop,
                     fmt::format("Percentage points of accuracy that may be lost ({})", tune.max_drop))
        ->type_name("POINTS");
    command
        ->add_option("--layers", options->layers,
                     "Ranges of blocks to try, A-B,C-D; or auto: those of highest held-out AUROC in --vectors")
        ->type_name("auto|A-B,...");
    add_path(*command, "--vectors", tune.vectors, "vectors.safetensors, for --layers auto");
    command->add_option("--window", tune.window, "Blocks in a range of --layers auto (a sixth of the model)")
        ->check(non_negative_number())
        ->type_name("N");
    command
        ->add_option("--candidates", tune.candidates,
                     fmt::format("Ranges of --layers auto that are tried ({})", tune.candidates))
        ->check(positive_number())
        ->type_name("N");
    constexpr const char * measure = "Measure";
    add_path(*command, "--questions", tune.questions.input,
             "Questions that tell what is lost: JSONL, a CSV of MMLU or its folder (the 240 shipped)")
        ->group(measure);
    command->add_option("--shots", tune.questions.shots, "Solved examples before each question (0)")
        ->check(non_negative_number())
        ->type_name("K")
        ->group(measure);
    command->add_option("--value", tune.value, "Whose gain is measured (the one that the key or specification names)")
        ->type_name("VALUE")
        ->group(measure);
    add_path(*command, "--concepts", tune.concepts, "Concept set (TOML) instead of Schwartz's ten values")
        ->group(measure);
    add_path(*command, "--portraits", tune.portraits.input,
             "Statements that tell what is gained: JSONL of id, value, text (the 40 shipped)")
        ->group(measure);
    command
        ->add_option("--language", tune.portraits.language,
                     fmt::format("Of the statements: en, es, fr, ko, zh ({})", tune.portraits.language))
        ->type_name("CODE")
        ->group(measure);
    command->add_option("--limit", tune.evaluation.limit, "A seeded sample of so many questions; 0: all (0)")
        ->check(non_negative_number())
        ->type_name("N")
        ->group(measure);
    command
        ->add_option("--bootstraps", tune.evaluation.bootstraps,
                     fmt::format("Resamples behind each interval ({})", tune.evaluation.bootstraps))
        ->check(non_negative_number())
        ->type_name("N")
        ->group(measure);
    command
        ->add_option("--confidence", tune.evaluation.confidence,
                     fmt::format("Of the intervals ({})", tune.evaluation.confidence))
        ->type_name("SHARE")
        ->group(measure);
    add_path(*command, "--output", tune.output, "Curves (JSON)")->required();
}

} // namespace valuelens

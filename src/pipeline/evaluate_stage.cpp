#include <algorithm>
#include <charconv>
#include <cmath>

#include "base/fail.h"
#include "base/file.h"
#include "base/folder.h"
#include "base/hash.h"
#include "pipeline/run_context.h"
#include "pipeline/spec_text.h"
#include "pipeline/steer_spec.h"
#include "valuelens/evaluation.h"
#include "valuelens/rule_evaluations.h"

namespace valuelens {

namespace {

constexpr const char * axes_file = "axes.safetensors";
constexpr const char * vectors_file = "vectors.safetensors";

std::vector<std::string> parts_of(const std::string & list, const char * key) {
    std::vector<std::string> parts;
    std::size_t begin = 0;
    while (begin <= list.size() && !list.empty()) {
        const std::size_t comma = std::min(list.find(',', begin), list.size());
        std::string part = list.substr(begin, comma - begin);
        part.erase(0, part.find_first_not_of(' '));
        part.erase(part.find_last_not_of(' ') + 1);
        if (part.empty() || std::find(parts.begin(), parts.end(), part) != parts.end()) {
            fail(ErrorKind::usage, "evaluate.{} is \"{}\"; expected names with commas between them, each once", key,
                 list);
        }
        parts.push_back(std::move(part));
        begin = comma + 1;
    }
    return parts;
}

/// File and tensor of a direction of a value.
std::string source_of(const std::string & direction, const std::string & value) {
    for (const char * kind : {"shared", "intrinsic", "prompted", "intrinsic_orth", "prompted_orth"}) {
        if (direction == kind) {
            return fmt::format("{}:{}/{}", axes_file, value, direction);
        }
    }
    for (const char * condition : {"intrinsic", "prompted"}) {
        if (direction == fmt::format("vector_{}", condition)) {
            return fmt::format("{}:{}/{}", vectors_file, value, condition);
        }
    }
    fail(ErrorKind::usage,
         "evaluate.directions names \"{}\"; known: shared, intrinsic, prompted, intrinsic_orth, prompted_orth, "
         "vector_intrinsic, vector_prompted",
         direction);
}

/// One variant of the matrix: "power/shared@4", and its --steer with files named from the run's folder.
struct Cell {
    std::string name;
    std::string steer;
};

std::vector<Cell> matrix_of(const RunConfig & config, const ConceptSet & concepts) {
    std::vector<std::string> values = parts_of(config.evaluate_values, "values");
    for (const std::string & value : values) {
        if (!concepts.find(value)) {
            fail(ErrorKind::usage, "evaluate.values names \"{}\", which is not in the concept set {}", value,
                 concepts.name);
        }
    }
    if (values.empty()) {
        for (const Concept & each : concepts.concepts) {
            values.push_back(each.id);
        }
    }
    if (!config.evaluate_layers.empty() && !parse_layer_range(config.evaluate_layers)) {
        fail(ErrorKind::usage, "evaluate.layers is \"{}\", expected A-B, two 0-based layers", config.evaluate_layers);
    }
    std::vector<Cell> cells;
    for (const std::string & direction : parts_of(config.evaluate_directions, "directions")) {
        for (const std::string & alpha : parts_of(config.evaluate_alphas, "alphas")) {
            for (const std::string & value : values) {
                std::string steer = fmt::format("{},alpha={}", source_of(direction, value), alpha);
                steer += config.evaluate_layers.empty() ? "" : fmt::format(",layers={}", config.evaluate_layers);
                steer += config.evaluate_unit == "raw" ? "" : fmt::format(",unit={}", config.evaluate_unit);
                parse_steer_spec(steer);
                cells.push_back({fmt::format("{}/{}@{}", value, direction, alpha), std::move(steer)});
            }
        }
    }
    if (cells.empty()) {
        fail(ErrorKind::usage, "evaluate.directions and evaluate.alphas must name at least one each");
    }
    return cells;
}

std::unique_ptr<EvaluationTask> make_task(const std::string & name, const RunConfig & config,
                                          const ConceptSet & concepts) {
    const PvqOptions questionnaire{.input = config.evaluate_questionnaire};
    if (name == "pvq") {
        return pvq_task(questionnaire, concepts);
    }
    if (name == "leakage") {
        return leakage_task(questionnaire, concepts);
    }
    if (name == "cross-lingual") {
        return cross_lingual_task({.pvq = questionnaire, .languages = parts_of(config.evaluate_languages, "languages")},
                                  concepts);
    }
    if (name == "portrait") {
        if (config.evaluate_portrait.empty()) {
            fail(ErrorKind::usage, "evaluate.evaluations names portrait, which needs evaluate.portrait: Value "
                                   "Portrait's query-response-tagged.json");
        }
        return portrait_task({.input = config.evaluate_portrait}, concepts);
    }
    if (name == "multiple-choice") {
        return multiple_choice_task({});
    }
    if (name == "instructions") {
        return instructions_task({.input = config.evaluate_instructions});
    }
    return diversity_task({.input = config.evaluate_queries});
}

/// The cells whose directions are there; what is left out is said.
struct Variants {
    std::vector<EvaluationVariant> variants;
    std::vector<std::string> notes;
};

Variants load_cells(const RunContext & run, const std::vector<Cell> & cells, const ModelInfo & model) {
    Variants loaded;
    loaded.variants = evaluation_variants({}, {}, nullptr);
    std::vector<std::pair<std::string, std::string>> hashes;
    for (const char * file : {axes_file, vectors_file}) {
        hashes.emplace_back(file, sha256_file(run.folder / file));
    }
    for (const Cell & cell : cells) {
        const std::string file = parse_steer_spec(cell.steer).file.string();
        const std::vector<std::string> spec = {(run.folder / cell.steer).string()};
        try {
            loaded.variants.push_back({cell.name, {cell.steer}, {}, load_intervention(spec, {}, model, run.progress)});
        } catch (const Error & error) {
            if (error.kind() != ErrorKind::bad_input) {
                throw;
            }
            loaded.notes.push_back(fmt::format("{}: left out, it has no direction to steer along", cell.name));
            run.progress.message(LogLevel::warning,
                                 fmt::format("evaluate: {} is left out: {}", cell.name, error.what()));
            continue;
        }
        std::copy_if(hashes.begin(), hashes.end(), std::back_inserter(loaded.variants.back().files),
                     [&](const auto & hash) { return hash.first == file; });
    }
    if (loaded.variants.size() == 1) {
        fail(ErrorKind::bad_input, "{}: none of the {} directions that [evaluate] asks for is there",
             run.folder.string(), cells.size());
    }
    return loaded;
}

/// The file of the user's own that an evaluation reads; empty: none.
std::string input_of(const std::string & name, const RunConfig & config) {
    if (name == "pvq" || name == "leakage" || name == "cross-lingual") {
        return config.evaluate_questionnaire;
    }
    return name == "portrait"       ? config.evaluate_portrait
           : name == "instructions" ? config.evaluate_instructions
           : name == "diversity"    ? config.evaluate_queries
                                    : std::string();
}

/// Everything that the evaluation `name` depends on.
std::string fingerprint(const RunContext & run, const std::string & name, const std::vector<Cell> & cells) {
    const RunConfig & config = run.config;
    Sha256 hash;
    for (const char * file : {axes_file, vectors_file}) {
        hash.update(sha256_file(run.folder / file));
    }
    hash.update(fmt::format("{} {} {} {} {} {} {} {} {} {} {}", VALUELENS_VERSION, name,
                            run.db.meta("model_identity").value_or(""), config.evaluate_limit,
                            config.evaluate_bootstraps, config.confidence, config.seed, config.parallel,
                            config.ctx_size, config.kv_type, name == "cross-lingual" ? config.evaluate_languages : ""));
    for (const Cell & cell : cells) {
        hash.update(fmt::format("\n{} {}", cell.name, cell.steer));
    }
    if (const std::string input = input_of(name, config); !input.empty()) {
        hash.update(fmt::format("\n{}", sha256_file(input)));
    }
    return hash.hex();
}

} // namespace

const std::vector<std::string> & evaluation_names() {
    static const std::vector<std::string> names = {
        "pvq", "leakage", "cross-lingual", "portrait", "multiple-choice", "instructions", "diversity"};
    return names;
}

std::vector<std::string> wanted_evaluations(const RunConfig & config) {
    const std::vector<std::string> asked = parts_of(config.evaluations, "evaluations");
    std::vector<std::string> wanted;
    for (const std::string & name : evaluation_names()) {
        if (std::find(asked.begin(), asked.end(), name) != asked.end()) {
            wanted.push_back(name);
        }
    }
    for (const std::string & name : asked) {
        if (std::find(wanted.begin(), wanted.end(), name) == wanted.end()) {
            fail(ErrorKind::usage, "evaluate.evaluations names \"{}\"; known: {}", name,
                 fmt::join(evaluation_names(), ", "));
        }
    }
    return wanted;
}

std::string evaluation_file(const std::string & name) {
    return fmt::format("evaluation/{}.json", name);
}

void check_evaluate_config(const RunConfig & config, const ConceptSet & concepts) {
    matrix_of(config, concepts);
    for (const std::string & name : wanted_evaluations(config)) {
        make_task(name, config, concepts);
    }
}

void evaluate_stage(RunContext & run) {
    const std::string folder = run.folder.string();
    const std::vector<std::string> wanted = wanted_evaluations(run.config);
    if (wanted.empty()) {
        fail(ErrorKind::usage, "{}: its config asks for no evaluation; name some in evaluate.evaluations: {}", folder,
             fmt::join(evaluation_names(), ", "));
    }
    if (!has_derived_file(run.db, run.folder, axes_file)) {
        fail(ErrorKind::usage, "{}: has no axes yet; run `valuelens decompose --run {}` first", folder, folder);
    }
    const std::vector<Cell> cells = matrix_of(run.config, run.inputs.concepts);
    make_folder(run.folder / "evaluation");
    std::shared_ptr<Model> model; // loaded where there is something to do
    Variants loaded;
    for (const std::string & name : wanted) {
        DerivedFile output(run, evaluation_file(name), fingerprint(run, name, cells));
        if (output.is_current()) {
            run.progress.message(LogLevel::info, fmt::format("evaluate: {} was done before", name));
            continue;
        }
        const auto task = make_task(name, run.config, run.inputs.concepts);
        if (model == nullptr) {
            const ModelOptions options = run_model_options(run);
            const ModelInfo info = read_model_info(options.path);
            if (info.identity != run.db.meta("model_identity")) {
                fail_other_model(run, info);
            }
            loaded = load_cells(run, cells, info);
            model = Model::load(options, run.progress, run.stop);
        }
        EvaluationOptions options;
        options.limit = static_cast<std::size_t>(run.config.evaluate_limit);
        options.bootstraps = static_cast<std::size_t>(run.config.evaluate_bootstraps);
        options.confidence = run.config.confidence;
        options.seed = static_cast<std::uint64_t>(run.config.seed);
        Evaluation evaluation =
            evaluate(*task, model, run_scheduler_options(run.config), loaded.variants, options, run.progress, run.stop);
        evaluation.notes.insert(evaluation.notes.end(), loaded.notes.begin(), loaded.notes.end());
        write_evaluation(output.path(), evaluation);
        output.record();
    }
}

} // namespace valuelens

#include "valuelens/tune.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <set>

#include "base/fail.h"
#include "base/file.h"
#include "base/hash.h"
#include "pipeline/evaluate_tools.h"
#include "pipeline/neuron_spec.h"
#include "pipeline/steer_spec.h"
#include "pipeline/tune_layers.h"
#include "steer/strength.h"
#include "valuelens/vectors.h"

namespace valuelens {

namespace {

bool of_neurons(const TuneOptions & options) {
    return !options.scale_neurons.empty();
}

/// The strength that changes nothing.
float neutral(const TuneOptions & options) {
    return of_neurons(options) ? 1.0f : 0.0f;
}

const char * strength_name(const TuneOptions & options) {
    return of_neurons(options) ? "beta" : "alpha";
}

void check_options(const TuneOptions & options) {
    const auto bad = [](const std::string & problem) {
        fail(ErrorKind::usage, "{}", problem);
    };
    if (options.steer.empty() == options.scale_neurons.empty()) {
        bad("say what to tune with --steer or with --scale-neurons; their strengths, alpha and beta, do not share a "
            "grid");
    }
    if (options.grid.empty() ||
        !std::all_of(options.grid.begin(), options.grid.end(), [](float x) { return std::isfinite(x); })) {
        bad("--grid needs at least one number, all of them finite");
    }
    if (std::set<float>(options.grid.begin(), options.grid.end()).size() != options.grid.size()) {
        bad("--grid has a strength twice");
    }
    if (std::find(options.grid.begin(), options.grid.end(), neutral(options)) != options.grid.end()) {
        bad(fmt::format("--grid: {} = {} changes nothing; the model as it is is scored anyway", strength_name(options),
                        neutral(options)));
    }
    if (!(options.max_drop > 0)) {
        bad(fmt::format("--max-drop {}: expected a number of percentage points greater than 0", options.max_drop));
    }
    if (options.auto_layers && (!options.layers.empty() || options.vectors.empty())) {
        bad("--layers auto needs --vectors FILE, whose AUROC tells the blocks apart, and no other --layers");
    }
    if (!options.auto_layers && !options.vectors.empty()) {
        bad("--vectors belongs to --layers auto");
    }
    if (options.window < 0 || options.candidates < 1) {
        bad("--window must not be negative, and --candidates at least 1");
    }
    check_evaluation_options(options.evaluation);
}

/// One specification of the command line, and what is known of it before the model is loaded.
struct Subject {
    std::string text;  ///< without strength and tried layers
    std::string value; ///< empty: none
    std::vector<TunedRange> ranges;
};

std::string with_layers(const std::string & text, const std::optional<LayerSpan> & layers) {
    return layers ? fmt::format("{},layers={}-{}", text, layers->first, layers->last) : text;
}

/// `known`: concept ids.
Subject read_subject(const std::string & text, const TuneOptions & options, const std::vector<std::string> & known) {
    const bool tries_layers = options.auto_layers || !options.layers.empty();
    Subject subject;
    subject.text = text;
    std::string named;
    if (of_neurons(options)) {
        const NeuronSpec spec = parse_neuron_spec(text);
        if (spec.text.find("beta")) {
            spec.text.bad("beta is what is tuned; name it with --grid");
        }
        if (spec.layers && tries_layers) {
            spec.text.bad("layers are given twice, here and with --layers");
        }
        named = spec.value.value_or("");
    } else {
        const SteerSpec spec = parse_steer_spec(text);
        if (spec.text.find("alpha")) {
            spec.text.bad("alpha is what is tuned; name it with --grid");
        }
        if (spec.mode == SteerMode::ablate) {
            spec.text.bad("mode=ablate has no strength to tune; see valuelens eval");
        }
        if (spec.tokens == TokenScope::response) {
            spec.text.bad(
                "tokens=response would change nothing: questions are answered by the token that follows the prompt");
        }
        if (spec.layers && tries_layers) {
            spec.text.bad("layers are given twice, here and with --layers");
        }
        named = spec.key.substr(0, spec.key.find('/'));
    }
    if (!options.value.empty()) {
        subject.value = options.value;
    } else if (std::find(known.begin(), known.end(), named) != known.end()) {
        subject.value = named;
    }
    return subject;
}

std::vector<Subject> read_subjects(const TuneOptions & options, const ConceptSet & concepts, const ModelInfo & model) {
    std::vector<std::string> known;
    for (const Concept & each : concepts.concepts) {
        known.push_back(each.id);
    }
    if (!options.value.empty() && std::find(known.begin(), known.end(), options.value) == known.end()) {
        fail(ErrorKind::usage, "--value {} is not in the concept set {}; it has: {}", options.value, concepts.name,
             fmt::join(known, ", "));
    }
    for (const LayerSpan & span : options.layers) {
        if (span.first < 0 || span.first > span.last || span.last >= model.n_layer) {
            fail(ErrorKind::usage, "--layers {}-{} reaches beyond the model, whose blocks are 0-{}", span.first,
                 span.last, model.n_layer - 1);
        }
    }
    std::optional<ValueVectorSet> vectors;
    if (options.auto_layers) {
        vectors = read_value_vectors(options.vectors);
    }
    std::vector<Subject> subjects;
    for (const std::string & text : of_neurons(options) ? options.scale_neurons : options.steer) {
        Subject subject = read_subject(text, options, known);
        if (vectors) {
            const std::string key = of_neurons(options) ? "" : parse_steer_spec(text).key;
            subject.ranges = ranges_by_auroc(*vectors, options.vectors, subject.value, key, model, options.window,
                                             options.candidates);
        } else if (options.layers.empty()) {
            subject.ranges.emplace_back();
        } else {
            for (const LayerSpan & span : options.layers) {
                subject.ranges.push_back({span});
            }
        }
        subjects.push_back(std::move(subject));
    }
    return subjects;
}

std::shared_ptr<const Intervention> with_strength(const Intervention & unit, float strength) {
    auto scaled = std::make_shared<Intervention>(unit);
    for (LayerDirection & direction : scaled->directions) {
        direction.alpha *= strength; // of a specification without alpha, in its unit
    }
    for (NeuronScale & neuron : scaled->neurons) {
        neuron.beta = strength;
    }
    return scaled;
}

/// Curves without their numbers, and the variants that these are measured on: variant 1 is the first point of the first
/// curve, and so on.
struct Plan {
    std::vector<TuneCurve> curves;
    std::vector<EvaluationVariant> variants;
};

Plan make_plan(const TuneOptions & options, const std::vector<Subject> & subjects, const ModelInfo & model,
               ProgressSink & progress) {
    Plan plan;
    plan.variants.push_back({"base", {}, {}, nullptr, {}});
    std::vector<float> grid = options.grid;
    std::sort(grid.begin(), grid.end());
    for (const Subject & subject : subjects) {
        const std::vector<std::string> own = {subject.text};
        const std::vector<std::string> no_text;
        const auto files = intervention_files(of_neurons(options) ? no_text : own, of_neurons(options) ? own : no_text);
        for (const TunedRange & range : subject.ranges) {
            TuneCurve & curve = plan.curves.emplace_back();
            curve.intervention = subject.text;
            curve.value = subject.value;
            curve.layers = range.span;
            curve.auroc = range.auroc;
            const std::vector<std::string> text = {with_layers(subject.text, range.span)};
            const bool neurons = of_neurons(options);
            const auto unit = load_intervention(neurons ? no_text : text, neurons ? text : no_text, model, progress);
            for (const float strength : grid) {
                TunePoint & point = curve.points.emplace_back();
                point.strength = strength;
                point.intervention = fmt::format("{},{}={}", text[0], strength_name(options), strength);
                EvaluationVariant & variant = plan.variants.emplace_back();
                variant.name = point.intervention;
                (neurons ? variant.scale_neurons : variant.steer) = {point.intervention};
                variant.intervention = with_strength(*unit, strength);
                variant.files = files;
            }
        }
    }
    return plan;
}

Estimate difference(const Evaluation & evaluation, const std::string & measure, const std::string & group,
                    std::size_t variant) {
    const EvaluationRow * row = evaluation.find(measure, group);
    return row == nullptr ? Estimate() : row->differences[variant].estimate;
}

/// A model that guesses has nothing to lose, so its drop would allow anything.
void note_chance(TuneResult & result, ProgressSink & progress) {
    constexpr double chance = 25; // four options
    const Estimate & base = result.questions.find("accuracy")->scores.front().estimate;
    const double low = std::isnan(base.low) ? base.value : base.low;
    if (low <= chance) {
        result.notes.push_back(fmt::format(
            "as it is, the model answers {:.1f} % of {} questions [{:.1f}, {:.1f}], which is not told from the "
            "25 % of guessing: its drop says little; ask more or easier questions (--questions, --shots), or "
            "look at probability_drop",
            base.value, result.questions.items.size(), base.low, base.high));
        progress.message(LogLevel::warning, result.notes.back());
    }
}

/// A value of the concept set need not have portraits.
void note_unmeasured(TuneResult & result, ProgressSink & progress) {
    std::set<std::string> said;
    for (const TuneCurve & curve : result.curves) {
        const bool measured = result.portraits && result.portraits->find("likeness", curve.value) != nullptr;
        if (!curve.value.empty() && !measured && said.insert(curve.value).second) {
            result.notes.push_back(fmt::format("no portrait measures \"{}\", so its gain is not known; give statements "
                                               "for it with --portraits",
                                               curve.value));
            progress.message(LogLevel::warning, result.notes.back());
        }
    }
}

void fill_points(TuneResult & result) {
    const EvaluationRow & accuracy = *result.questions.find("accuracy");
    const EvaluationRow & probability = *result.questions.find("answer_probability");
    const EvaluationRow & mass = *result.questions.find("option_mass");
    std::size_t variant = 1;
    for (TuneCurve & curve : result.curves) {
        for (TunePoint & point : curve.points) {
            point.accuracy = accuracy.scores[variant].estimate;
            point.drop = paired_drop(accuracy, variant);
            point.probability_drop = paired_drop(probability, variant);
            point.option_mass = mass.scores[variant].estimate.value;
            if (result.portraits && !curve.value.empty()) {
                point.gain = difference(*result.portraits, "likeness", curve.value, variant);
                point.gain_centred = difference(*result.portraits, "likeness_centred", curve.value, variant);
            }
            ++variant;
        }
    }
}

TuneChoice choose(const TuneCurve & curve, bool above, float zero, double max_drop) {
    std::vector<std::size_t> places;
    std::vector<StrengthCost> costs;
    std::vector<StrengthCost> upper;
    for (std::size_t i = 0; i < curve.points.size(); ++i) {
        const TunePoint & point = curve.points[i];
        if ((point.strength > zero) == above) {
            const double distance = std::abs(static_cast<double>(point.strength) - static_cast<double>(zero));
            places.push_back(i);
            costs.push_back({distance, point.drop.value});
            upper.push_back({distance, point.drop.high});
        }
    }
    TuneChoice choice;
    if (const auto at = strongest_below(costs, max_drop)) {
        choice.point = places[*at];
    }
    if (const auto at = strongest_below(upper, max_drop)) {
        choice.certain = places[*at];
    }
    return choice;
}

/// Of the ranges of one intervention, the one that gains most at the strength chosen for it.
void find_best(TuneResult & result) {
    for (const bool above : {true, false}) {
        std::size_t begin = 0;
        while (begin < result.curves.size()) {
            std::size_t end = begin;
            std::optional<TuneBest> best;
            double most = -std::numeric_limits<double>::infinity();
            for (; end < result.curves.size() && result.curves[end].intervention == result.curves[begin].intervention;
                 ++end) {
                const TuneCurve & curve = result.curves[end];
                const auto & chosen = above ? curve.above.point : curve.below.point;
                const double gain = chosen ? curve.points[*chosen].gain_centred.value * (above ? 1 : -1)
                                           : std::numeric_limits<double>::quiet_NaN();
                if (gain > most) {
                    most = gain;
                    best = TuneBest{curve.intervention, above, end, *chosen};
                }
            }
            if (best && end - begin > 1) {
                result.best.push_back(*best);
            }
            begin = end;
        }
    }
}

} // namespace

TuneResult tune(const TuneOptions & options, ProgressSink & progress, std::stop_token stop) {
    check_options(options);
    AtomicFile output(options.output);
    TuneResult result;
    result.options = options;
    const ConceptSet concepts = concepts_or_default(options.concepts);
    const ModelInfo model = read_model_info(options.model.path);
    const std::vector<Subject> subjects = read_subjects(options, concepts, model);
    const bool has_value =
        std::any_of(subjects.begin(), subjects.end(), [](const Subject & each) { return !each.value.empty(); });
    for (const Subject & subject : subjects) {
        if (subject.value.empty()) {
            result.notes.push_back(fmt::format(
                "{}: names no value of the concept set, so no gain is measured; say which with --value", subject.text));
            progress.message(LogLevel::warning, result.notes.back());
        }
    }
    const std::unique_ptr<EvaluationTask> questions = multiple_choice_task(options.questions);
    const std::unique_ptr<EvaluationTask> portraits = has_value ? pvq_task(options.portraits, concepts) : nullptr;
    Plan plan = make_plan(options, subjects, model, progress);
    result.files = intervention_files(options.steer, options.scale_neurons);
    if (options.auto_layers) {
        result.files.emplace_back(options.vectors.string(), sha256_file(options.vectors));
    }
    result.curves = std::move(plan.curves);

    const std::shared_ptr<Model> loaded = Model::load(options.model, progress, stop);
    result.questions =
        evaluate(*questions, loaded, options.scheduler, plan.variants, options.evaluation, progress, stop);
    if (portraits) {
        EvaluationOptions all = options.evaluation;
        all.limit = 0; // centred numbers need every value
        result.portraits = evaluate(*portraits, loaded, options.scheduler, plan.variants, all, progress, stop);
    }
    note_chance(result, progress);
    note_unmeasured(result, progress);
    fill_points(result);
    for (TuneCurve & curve : result.curves) {
        curve.above = choose(curve, true, neutral(options), options.max_drop);
        curve.below = choose(curve, false, neutral(options), options.max_drop);
    }
    find_best(result);
    output.write(tune_json(result) + "\n");
    output.commit();
    return result;
}

} // namespace valuelens

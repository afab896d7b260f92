#include "explain/job.h"

#include <algorithm>
#include <numeric>

#include "base/fail.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/random.h"
#include "explain/asker.h"
#include "explain/output.h"
#include "explain/results.h"
#include "explain/simulation.h"
#include "explain/summary.h"

namespace valuelens {

namespace {

// The units of work of which a stopped call repeats the last: what a local model answers depends on the whole list.
constexpr std::size_t explain_slice = 16;
constexpr std::size_t score_slice = 4;
constexpr std::size_t rate_slice = 64;

constexpr const char * inactive = "nothing in the corpus activates the neuron in this direction";

/// All that a result depends on beside the code.
std::string settings_of(const ExplainJob & job, const ExplainOptions & options, const std::string & harvest) {
    Sha256 hash;
    hash.update(fmt::format("{}\n{}\n{}\n{}\n{} {} {} {} {} {}\n", harvest, job.explainer, job.explainer_settings,
                            explain_prompts().sha256, options.negative, options.examples, options.bootstraps,
                            options.confidence, options.explanation_tokens, options.rate));
    for (const ScoreKind kind : options.scores) {
        hash.update(to_string(kind));
    }
    return hash.hex();
}

class ExplainRun {
public:
    ExplainRun(const ExplainJob & job, const ExplainOptions & options, const Harvester & harvest,
               const std::string & settings, ProgressSink & progress, const std::stop_token & stop)
        : job_(job), options_(options), harvest_(harvest), store_(job.output, settings),
          asker_(*job.service, options.harvest.seed, stop, [this] { count_answer(); }), progress_(progress),
          stop_(stop), poles_(poles_of(harvest, options.negative)) {
        for (PoleWork & pole : poles_) {
            if (const auto found = store_.results.find(pole.key); found != store_.results.end()) {
                pole.result = found->second;
            }
            pole.result.problem = pole.active() ? pole.result.problem : inactive;
            pole.result.prompt = pole.active() ? question(pole) : std::string();
        }
    }

    void explain() {
        in_slices(explain_slice, "explain", [this](std::span<PoleWork> slice) { explain(slice); });
    }

    void score() {
        choose_partners();
        in_slices(score_slice, "score", [this](std::span<PoleWork> slice) { score(slice); });
    }

    void rate() {
        if (options_.rate) {
            in_slices(rate_slice, "rate", [this](std::span<PoleWork> slice) { rate(slice); });
        }
    }

    std::vector<PoleWork> & poles() { return poles_; }
    const std::string & down() const { return asker_.down(); }
    void forget() const { store_.remove(); }

private:
    const std::vector<Excerpt> & top_of(const PoleWork & pole) const {
        return harvest_.of(pole.neuron).top[static_cast<std::size_t>(pole.pole)];
    }

    std::string question(const PoleWork & pole) const {
        std::vector<ReadableExcerpt> examples;
        for (const std::size_t rank : split_top(top_of(pole).size(), options_.examples).shown) {
            examples.push_back(readable(*job_.subject, top_of(pole)[rank]));
        }
        return explain_question(explain_prompts(), examples, pole.pole, pole.max);
    }

    /// Slices begin at fixed places, whatever is done already; each is stored when it is done.
    template <typename Work>
    void in_slices(std::size_t size, const char * stage, Work && work) {
        progress_.start(stage, poles_.size(), "poles");
        for (std::size_t first = 0; first < poles_.size(); first += size) {
            if (stop_.stop_requested()) {
                fail(ErrorKind::interrupted, "stopped");
            }
            const std::span<PoleWork> slice = std::span(poles_).subspan(first, std::min(size, poles_.size() - first));
            changed_ = false;
            finished_ = first;
            answers_ = 0;
            work(slice);
            if (changed_) {
                for (const PoleWork & pole : slice) {
                    store_.results[pole.key] = pole.result;
                }
                store_.save();
            }
            progress_.advance(first + slice.size());
        }
        progress_.finish();
    }

    /// A slice may take minutes: its answers show that it moves.
    void count_answer() { progress_.advance(finished_, fmt::format("{} more answers", ++answers_)); }

    void explain(std::span<PoleWork> slice) {
        std::vector<PoleWork *> open;
        std::vector<std::string> prompts;
        for (PoleWork & pole : slice) {
            if (pole.active() && pole.result.text.empty()) {
                open.push_back(&pole);
                prompts.push_back(pole.result.prompt);
            }
        }
        if (open.empty()) {
            return;
        }
        changed_ = true;
        const std::vector<AskerAnswer> answers = asker_.explain(prompts, options_.explanation_tokens);
        for (std::size_t i = 0; i < open.size(); ++i) {
            Explanation & result = open[i]->result;
            result = Explanation{answers[i].text, result.prompt, answers[i].problem, {}, {}, {}, {}};
        }
    }

    /// Whose explanation stands for a wrong one: the next explained pole of another neuron in a shuffled circle.
    void choose_partners() {
        std::vector<std::size_t> circle(poles_.size());
        std::iota(circle.begin(), circle.end(), std::size_t{0});
        Rng rng(derive_seed(options_.harvest.seed, "explain/baseline"));
        rng.shuffle(circle);
        partners_.assign(poles_.size(), nullptr);
        for (std::size_t at = 0; at < circle.size(); ++at) {
            for (std::size_t step = 1; step < circle.size(); ++step) {
                const PoleWork & other = poles_[circle[(at + step) % circle.size()]];
                const PoleWork & own = poles_[circle[at]];
                if (other.neuron != own.neuron && !other.result.text.empty() && other.result.text != own.result.text) {
                    partners_[circle[at]] = &other;
                    break;
                }
            }
        }
    }

    struct Scoring {
        PoleWork * pole = nullptr;
        const PoleWork * partner = nullptr; ///< null: there is no other explanation
        ScoreKind kind = ScoreKind::detection;
        HeldOut held;
        std::vector<ScoreQuestion> questions;
        std::size_t first_prompt = 0; ///< of its own explanation; the partner's follow
    };

    void score(std::span<PoleWork> slice) {
        std::vector<Scoring> open;
        std::vector<std::string> prompts;
        for (PoleWork & pole : slice) {
            if (pole.result.text.empty()) {
                continue;
            }
            for (const ScoreKind kind : options_.scores) {
                if (!has_score(pole, kind)) {
                    open.push_back(prepare(pole, kind, prompts));
                }
            }
        }
        if (open.empty()) {
            return;
        }
        changed_ = true;
        const std::vector<AskerAnswer> answers = asker_.yes_no(prompts);
        for (const Scoring & scoring : open) {
            ExplanationScore score = scoring.kind == ScoreKind::simulation ? simulate(scoring) : read(scoring, answers);
            std::vector<ExplanationScore> & scores = scoring.pole->result.scores;
            std::erase_if(scores, [&](const ExplanationScore & old) { return old.kind == score.kind; });
            scores.push_back(std::move(score));
        }
        for (PoleWork & pole : slice) {
            std::sort(pole.result.scores.begin(), pole.result.scores.end(),
                      [](const ExplanationScore & a, const ExplanationScore & b) { return a.kind < b.kind; });
        }
    }

    const PoleWork * partner_of(const PoleWork & pole) const {
        return partners_[static_cast<std::size_t>(&pole - poles_.data())];
    }

    /// A score is made again once its baseline would be another explanation's, as that of a pole that failed before,
    /// and where it lacks answers: it ends as that of a call in which nothing failed.
    bool has_score(const PoleWork & pole, ScoreKind kind) const {
        const std::vector<ExplanationScore> & scores = pole.result.scores;
        const std::string partner = partner_of(pole) == nullptr ? std::string() : partner_of(pole)->key;
        return std::any_of(scores.begin(), scores.end(), [&](const ExplanationScore & score) {
            return score.kind == kind && score.problem.empty() && score.missing_reason.empty() &&
                   score.baseline_of == partner;
        });
    }

    Scoring prepare(PoleWork & pole, ScoreKind kind, std::vector<std::string> & prompts) const {
        Scoring scoring;
        scoring.pole = &pole;
        scoring.partner = partner_of(pole);
        scoring.kind = kind;
        scoring.held = held_out(*job_.subject, harvest_, pole, options_);
        scoring.first_prompt = prompts.size();
        if (kind == ScoreKind::simulation) {
            return scoring;
        }
        scoring.questions = kind == ScoreKind::detection ? detection_questions(scoring.held)
                                                         : fuzzing_questions(scoring.held, pole.pole);
        if (std::min(count_positive(scoring), scoring.questions.size() - count_positive(scoring)) < least_questions) {
            scoring.questions.clear(); // nothing to ask
        }
        const auto add = [&](const std::string & explanation) {
            const std::vector<std::string> more =
                score_prompts(explain_prompts(), kind, explanation, scoring.questions);
            prompts.insert(prompts.end(), more.begin(), more.end());
        };
        add(pole.result.text);
        if (scoring.partner != nullptr) {
            add(scoring.partner->result.text);
        }
        return scoring;
    }

    static std::size_t count_positive(const Scoring & scoring) {
        return static_cast<std::size_t>(
            std::count_if(scoring.questions.begin(), scoring.questions.end(),
                          [](const ScoreQuestion & question) { return question.positive; }));
    }

    std::uint64_t bootstrap_seed(const Scoring & scoring) const {
        return derive_seed(options_.harvest.seed,
                           fmt::format("explain/{} {}", to_string(scoring.kind), scoring.pole->key));
    }

    ExplanationScore read(const Scoring & scoring, std::span<const AskerAnswer> answers) const {
        const std::size_t n = scoring.questions.size();
        const std::span<const AskerAnswer> own = answers.subspan(scoring.first_prompt, n);
        ExplanationScore score;
        score.kind = scoring.kind;
        score.n_positive = count_positive(scoring);
        score.n_negative = n - score.n_positive;
        score.n_missing = static_cast<std::size_t>(
            std::count_if(own.begin(), own.end(), [](const AskerAnswer & answer) { return !answer.number; }));
        const std::span<const AskerAnswer> all = answers.subspan(scoring.first_prompt, n * (scoring.partner ? 2 : 1));
        const auto missing =
            std::find_if(all.begin(), all.end(), [](const AskerAnswer & answer) { return !answer.number; });
        if (missing != all.end()) {
            score.missing_reason = missing->problem;
            if (!asker_.down().empty()) {
                score.problem = asker_.down(); // not a score of what happened to be answered
                return score;
            }
        }
        score.value = auroc_of_answers(scoring.questions, own, options_, bootstrap_seed(scoring), score.problem);
        if (scoring.partner != nullptr) {
            std::string unused;
            score.baseline =
                auroc_of_answers(scoring.questions, all.subspan(n), options_, bootstrap_seed(scoring), unused);
            score.baseline_of = scoring.partner->key;
        }
        return score;
    }

    ExplanationScore simulate(const Scoring & scoring) {
        ExplanationScore score;
        score.kind = ScoreKind::simulation;
        score.n_positive = scoring.held.top.size();
        score.n_negative = scoring.held.random.size();
        score.value = simulation_score(*job_.simulator, scoring.pole->result.text, scoring.held, scoring.pole->pole,
                                       options_, bootstrap_seed(scoring), stop_, score.problem);
        if (scoring.partner != nullptr && score.problem.empty()) {
            score.baseline =
                simulation_score(*job_.simulator, scoring.partner->result.text, scoring.held, scoring.pole->pole,
                                 options_, bootstrap_seed(scoring), stop_, score.missing_reason);
            score.baseline_of = scoring.partner->key;
        }
        return score;
    }

    /// The prompts show nothing but the explanation: neither neuron nor category.
    void rate(std::span<PoleWork> slice) {
        std::vector<Explanation *> open;
        std::vector<std::string> prompts;
        for (PoleWork & pole : slice) {
            Explanation & result = pole.result;
            if (!result.text.empty() && (!result.abstractness || !result.value_relevance)) {
                open.push_back(&result);
                prompts.push_back(fill_question(explain_prompts().abstractness, result.text, ""));
                prompts.push_back(fill_question(explain_prompts().value_relevance, result.text, ""));
            }
        }
        if (open.empty()) {
            return;
        }
        changed_ = true;
        const std::vector<AskerAnswer> answers = asker_.rate(prompts);
        for (std::size_t i = 0; i < open.size(); ++i) {
            open[i]->abstractness = answers[2 * i].number;
            open[i]->value_relevance = answers[2 * i + 1].number;
            open[i]->rating_problem =
                answers[2 * i].problem.empty() ? answers[2 * i + 1].problem : answers[2 * i].problem;
        }
    }

    const ExplainJob & job_;
    const ExplainOptions & options_;
    const Harvester & harvest_;
    ResultStore store_;
    Asker asker_;
    ProgressSink & progress_;
    std::stop_token stop_;
    std::vector<PoleWork> poles_;
    std::vector<const PoleWork *> partners_; ///< [poles]
    bool changed_ = false;
    std::size_t finished_ = 0; ///< poles of the stage in hand
    std::size_t answers_ = 0;  ///< to its slice in hand
};

} // namespace

void check_options(const ExplainOptions & options, bool can_simulate) {
    check_options(options.harvest);
    if (options.harvest.top < 2 || options.examples < 1) {
        fail(ErrorKind::usage, "--top {} and --examples {}: expected at least 2 excerpts, 1 of them to show",
             options.harvest.top, options.examples);
    }
    if (!(options.confidence > 0 && options.confidence < 1)) {
        fail(ErrorKind::usage, "--confidence {}: expected a share between 0 and 1", options.confidence);
    }
    const bool simulates =
        std::find(options.scores.begin(), options.scores.end(), ScoreKind::simulation) != options.scores.end();
    if (simulates && !can_simulate) {
        fail(ErrorKind::usage,
             "--scores simulation needs log-probabilities at every token of a prompt, which servers do "
             "not give; score with a local model, or by detection and fuzzing");
    }
}

ExplainSummary run_explain(const ExplainJob & job, const ExplainOptions & options, ProgressSink & progress,
                           std::stop_token stop) {
    check_options(options, job.simulator != nullptr);
    std::vector<NeuronId> ids;
    for (const ChosenNeuron & neuron : job.neurons) {
        ids.push_back(neuron.id);
    }
    HarvestCounts counts;
    const Harvester harvested = harvest(job.subject, job.scheduler, ids, job.corpus, options.harvest,
                                        harvest_of(job.output), counts, progress, stop);
    const std::string settings = settings_of(job, options, counts.identity);
    ExplainRun run(job, options, harvested, settings, progress, stop);
    run.explain();
    run.score();
    run.rate();

    ExplainSummary summary;
    summary.explainer = job.explainer;
    summary.notes = job.notes;
    summary.n_neurons = ids.size();
    summary.documents = counts.documents;
    summary.short_documents = counts.short_documents;
    summary.windows = harvested.windows();
    summary.tokens = harvested.tokens();
    count_poles(run.poles(), summary);
    summary.categories = compare_poles(job, harvested, run.poles(), options);
    const std::vector<LensTokens> lenses = neuron_lenses(job, harvested, options, progress, stop);
    const std::vector<AxisLens> axes = axis_lenses(job, options, progress, stop);
    write_explanations(job, harvested, run.poles(), lenses, options);
    write_file(companion_of(job.output), companion_json(job, summary, options, axes, settings));
    run.forget();
    if (!run.down().empty()) {
        fail(ErrorKind::judge, "{}; {} of {} poles are explained, see {}: the same command goes on", run.down(),
             summary.n_explained, summary.n_poles, job.output.string());
    }
    return summary;
}

} // namespace valuelens

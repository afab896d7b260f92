#include <algorithm>
#include <functional>

#include "base/fail.h"
#include "base/hash.h"
#include "base/random.h"
#include "evaluate/option_scores.h"
#include "evaluate/respondent.h"

namespace valuelens {
namespace {

/// Requests that are scheduled together at most: a result depends on nothing but its slice. Where a variant has half as
/// many or more, the next one begins a slice of its own.
constexpr std::size_t slice_requests = 384;

/// A request for one part of a prompt.
struct PlacedRequest {
    Request request;
    std::size_t prompt = 0;
    std::size_t part = 0;
};

/// Whether the last token of a prompt, whose logits are read, is left as it is.
bool spares_prompts(const Intervention & intervention) {
    return intervention.neurons.empty() &&
           std::all_of(intervention.directions.begin(), intervention.directions.end(),
                       [](const LayerDirection & each) { return each.tokens == TokenScope::response; });
}

class ModelRespondent : public Respondent {
public:
    ModelRespondent(std::shared_ptr<Model> model, const SchedulerOptions & scheduler,
                    std::vector<EvaluationVariant> variants, ProgressSink & progress, std::stop_token stop)
        : model_(std::move(model)), options_(scheduler), scheduler_(model_, scheduler), variants_(std::move(variants)),
          progress_(progress), stop_(std::move(stop)) {}

    const std::vector<EvaluationVariant> & variants() const override { return variants_; }

    std::vector<std::vector<double>> score(const std::string & stage, std::span<const std::string> prompts,
                                           std::span<const std::string> options) override {
        note_untouched(stage);
        const auto tokens = option_tokens(*model_, options);
        note_setting("options_scored_by", tokens ? "next token" : "whole text");
        return tokens ? choose(stage, prompts, *tokens) : read_options(stage, prompts, options);
    }

    std::vector<std::optional<std::string>> answer(const std::string & stage, std::span<const std::string> prompts,
                                                   int max_tokens) override {
        std::vector<std::optional<std::string>> answers(prompts.size() * variants_.size());
        run(
            stage, prompts.size(), 1,
            [&](std::size_t prompt, std::size_t) {
                Request request;
                request.kind = RequestKind::generate;
                request.prompt = render(prompts[prompt]);
                request.max_tokens = max_tokens;
                return request;
            },
            [&](std::size_t place, std::size_t, const Response & response) {
                if (response.finish != FinishReason::too_long) {
                    answers[place] = model_->detokenize(response.tokens);
                }
            });
        return answers;
    }

    std::vector<std::vector<WrittenAnswer>> write(const std::string & stage, std::span<const std::string> prompts,
                                                  const AnswerOptions & options) override {
        std::vector<std::vector<WrittenAnswer>> answers(prompts.size() * variants_.size());
        run(
            stage, prompts.size(), options.samples,
            [&](std::size_t prompt, std::size_t sample) {
                Request request;
                request.kind = RequestKind::generate;
                request.prompt = render(prompts[prompt]);
                request.max_tokens = options.max_tokens;
                request.sampling.temperature = options.temperature;
                request.sampling.seed =
                    derive_seed(options.seed, fmt::format("answer {} to {}", sample, prompts[prompt]));
                request.logprobs = request.entropies = options.entropies;
                return request;
            },
            [&](std::size_t place, std::size_t sample, const Response & response) {
                if (response.finish == FinishReason::too_long) {
                    return;
                }
                answers[place].resize(options.samples);
                WrittenAnswer & answer = answers[place][sample];
                answer.text = model_->detokenize(response.tokens);
                answer.tokens = response.tokens.size();
                answer.cut_off = response.finish == FinishReason::length;
                answer.entropies = response.entropies;
            });
        return answers;
    }

    std::vector<std::vector<float>> embed(const std::string & stage, std::span<const std::string> texts,
                                          const EmbeddingModel * by) override {
        if (by != nullptr) {
            note_setting("embedding", fmt::format("{}, pooling: {}", by->info().name, by->pooling()));
            note_setting("embedding_identity", by->info().identity);
            return by->embed(stage, texts, progress_, stop_);
        }
        const std::vector<Token> before = render("");
        const int layer = model_->info().n_layer / 2;
        note_setting("embedding", fmt::format("mean output of block {} over the text's tokens", layer));
        std::vector<Request> requests;
        std::vector<std::size_t> places;
        for (std::size_t i = 0; i < texts.size(); ++i) {
            Request request;
            request.kind = RequestKind::continue_;
            request.prompt = before;
            request.response = model_->tokenize(texts[i], false, false);
            request.capture.resid_post = true;
            request.capture.layers = {layer};
            if (!request.response.empty()) {
                requests.push_back(std::move(request));
                places.push_back(i);
            }
        }
        std::vector<std::vector<float>> embeddings(texts.size());
        std::size_t done = 0;
        progress_.start(stage, requests.size(), "texts");
        for (std::size_t first = 0; first < requests.size(); first += slice_requests) {
            const std::size_t count = std::min(slice_requests, requests.size() - first);
            scheduler_.run(
                std::span(requests).subspan(first, count),
                [&](std::size_t index, Response && response) {
                    if (response.finish != FinishReason::too_long) {
                        embeddings[places[first + index]] = std::move(response.resid_post);
                    }
                    progress_.advance(++done);
                },
                progress_, stop_);
        }
        progress_.finish();
        return embeddings;
    }

    std::vector<PassageScore> read(const std::string & stage, std::span<const Passage> passages) override {
        std::vector<PassageScore> scores(passages.size() * variants_.size());
        run(
            stage, passages.size(), 1,
            [&](std::size_t passage, std::size_t) { return reading(passages[passage].user, passages[passage].reply); },
            [&](std::size_t place, std::size_t, const Response & response) {
                if (response.finish != FinishReason::too_long) {
                    scores[place] = {total(response), response.logprobs.size()};
                }
            });
        return scores;
    }

    void describe(Evaluation & evaluation) const override {
        evaluation.model_name = model_->info().name;
        evaluation.model_identity = model_->info().identity;
        evaluation.settings.emplace_back("prompt", model_->info().has_chat_template ? "chat template, empty system"
                                                                                    : "plain text");
        evaluation.settings.insert(evaluation.settings.end(), settings_.begin(), settings_.end());
        describe_engine(evaluation);
        evaluation.notes.insert(evaluation.notes.end(), notes_.begin(), notes_.end());
    }

private:
    /// How the model was run, as the command line names it.
    void describe_engine(Evaluation & evaluation) const {
        const ModelOptions & model = model_->options();
        auto & settings = evaluation.settings;
        settings.emplace_back("parallel", fmt::format("{}", options_.parallel));
        settings.emplace_back("batch_size", fmt::format("{}", options_.batch_size));
        settings.emplace_back("ctx_size", fmt::format("{}", options_.ctx_size));
        settings.emplace_back("kv_type", options_.kv_type);
        settings.emplace_back("threads", fmt::format("{}", model.threads));
        settings.emplace_back("n_gpu_layers", fmt::format("{}", model.n_gpu_layers));
        if (!model.chat_template.empty()) {
            settings.emplace_back("chat_template_sha256", sha256_hex(model.chat_template));
        }
        if (!model.chat_template_kwargs.empty()) {
            settings.emplace_back("chat_template_kwargs", model.chat_template_kwargs);
        }
        settings.emplace_back("date", model.date);
    }

    std::vector<Token> render(const std::string & user) const {
        if (model_->info().has_chat_template) {
            return model_->render_chat("", user).tokens;
        }
        return model_->render_plain(user.ends_with(':') ? user : user + "\n").tokens;
    }

    Request reading(const std::string & user, const std::string & reply) const {
        Request request;
        request.kind = RequestKind::continue_;
        request.prompt = render(user);
        request.response = model_->tokenize(reply, false, false);
        request.logprobs = true;
        if (request.response.empty()) {
            fail(ErrorKind::bad_input, "the text \"{}\" has no tokens", reply);
        }
        return request;
    }

    static double total(const Response & response) {
        double sum = 0;
        for (const float logprob : response.logprobs) {
            sum += logprob;
        }
        return sum;
    }

    std::vector<std::vector<double>> choose(const std::string & stage, std::span<const std::string> prompts,
                                            const std::vector<std::vector<Token>> & tokens) {
        std::vector<Token> choices;
        for (const std::vector<Token> & forms : tokens) {
            choices.insert(choices.end(), forms.begin(), forms.end());
        }
        std::vector<std::vector<double>> scores(prompts.size() * variants_.size());
        run(
            stage, prompts.size(), 1,
            [&](std::size_t prompt, std::size_t) {
                Request request;
                request.kind = RequestKind::choose;
                request.prompt = render(prompts[prompt]);
                request.choices = choices;
                return request;
            },
            [&](std::size_t place, std::size_t, const Response & response) {
                if (response.finish == FinishReason::too_long) {
                    return;
                }
                std::size_t next = 0;
                for (const std::vector<Token> & forms : tokens) {
                    const auto first = response.choice_logprobs.begin() + static_cast<std::ptrdiff_t>(next);
                    scores[place].push_back(
                        log_sum(std::vector<double>(first, first + static_cast<std::ptrdiff_t>(forms.size()))));
                    next += forms.size();
                }
            });
        return scores;
    }

    std::vector<std::vector<double>> read_options(const std::string & stage, std::span<const std::string> prompts,
                                                  std::span<const std::string> options) {
        std::vector<std::vector<double>> scores(prompts.size() * variants_.size(), std::vector<double>(options.size()));
        std::vector<bool> too_long(scores.size(), false); // any of its options
        run(
            stage, prompts.size(), options.size(),
            [&](std::size_t prompt, std::size_t option) { return reading(prompts[prompt], options[option]); },
            [&](std::size_t place, std::size_t option, const Response & response) {
                if (response.finish == FinishReason::too_long) {
                    too_long[place] = true;
                } else {
                    scores[place][option] = total(response);
                }
            });
        for (std::size_t place = 0; place < scores.size(); ++place) {
            if (too_long[place]) {
                scores[place].clear();
            }
        }
        return scores;
    }

    /// Runs `parts` requests for each prompt and variant, and hands out responses with their place in the results.
    ///
    /// Variant by variant, since a beginning is shared under one intervention only, and, of each, in the order of the
    /// prompts' tokens, so that those that begin alike are neighbours.
    void run(const std::string & stage, std::size_t n_prompts, std::size_t parts,
             const std::function<Request(std::size_t prompt, std::size_t part)> & make,
             const std::function<void(std::size_t place, std::size_t part, const Response &)> & take) {
        const std::size_t n_variants = variants_.size();
        std::vector<PlacedRequest> base;
        for (std::size_t prompt = 0; prompt < n_prompts; ++prompt) {
            for (std::size_t part = 0; part < parts; ++part) {
                base.push_back({make(prompt, part), prompt, part});
            }
        }
        std::stable_sort(base.begin(), base.end(), [](const PlacedRequest & a, const PlacedRequest & b) {
            return a.request.prompt < b.request.prompt;
        });
        std::size_t done = 0;
        progress_.start(stage, base.size() * n_variants, "prompts");
        std::vector<Request> slice;
        std::vector<std::pair<std::size_t, std::size_t>> places; // of the slice: place and part
        const auto run_slice = [&] {
            scheduler_.run(
                slice,
                [&](std::size_t index, Response && response) {
                    take(places[index].first, places[index].second, response);
                    progress_.advance(++done);
                },
                progress_, stop_);
            slice.clear();
            places.clear();
        };
        for (std::size_t variant = 0; variant < n_variants; ++variant) {
            if (slice.size() >= slice_requests / 2) {
                run_slice();
            }
            for (const PlacedRequest & each : base) {
                slice.push_back(each.request);
                slice.back().intervention = variants_[variant].intervention;
                places.emplace_back(each.prompt * n_variants + variant, each.part);
                if (slice.size() == slice_requests) {
                    run_slice();
                }
            }
        }
        if (!slice.empty()) {
            run_slice();
        }
        progress_.finish();
    }

    void note_setting(const std::string & name, const std::string & value) {
        const std::pair<std::string, std::string> setting{name, value};
        if (std::find(settings_.begin(), settings_.end(), setting) == settings_.end()) {
            settings_.push_back(setting);
        }
    }

    void note_untouched(const std::string & stage) {
        for (const EvaluationVariant & variant : variants_) {
            if (variant.intervention == nullptr || !spares_prompts(*variant.intervention)) {
                continue;
            }
            std::string note =
                fmt::format("{}: '{}' acts on response tokens alone, and {} reads the token that follows "
                            "the prompt, so nothing is changed; use tokens=all",
                            stage, variant.name, stage);
            if (std::find(notes_.begin(), notes_.end(), note) == notes_.end()) {
                progress_.message(LogLevel::warning, note);
                notes_.push_back(std::move(note));
            }
        }
    }

    std::shared_ptr<Model> model_;
    SchedulerOptions options_;
    Scheduler scheduler_;
    std::vector<EvaluationVariant> variants_;
    ProgressSink & progress_;
    std::stop_token stop_;
    std::vector<std::pair<std::string, std::string>> settings_;
    std::vector<std::string> notes_;
};

} // namespace

std::unique_ptr<Respondent> make_model_respondent(std::shared_ptr<Model> model, const SchedulerOptions & scheduler,
                                                  std::vector<EvaluationVariant> variants, ProgressSink & progress,
                                                  std::stop_token stop) {
    return std::make_unique<ModelRespondent>(std::move(model), scheduler, std::move(variants), progress,
                                             std::move(stop));
}

} // namespace valuelens

#include "judge/probe.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/fail.h"

namespace valuelens {

std::vector<double> Probe::log_odds(std::span<const float> features) const {
    const std::size_t n = n_feature();
    std::vector<double> odds(bias.begin(), bias.end());
    for (std::size_t i = 0; i < n; ++i) {
        const double x = (static_cast<double>(features[i]) - mean[i]) / scale[i];
        for (std::size_t value = 0; value < odds.size(); ++value) {
            odds[value] += x * weights[value * n + i];
        }
    }
    return odds;
}

std::vector<std::vector<float>> read_texts(const Model & model, Scheduler & scheduler, const ProbeReading & reading,
                                           std::span<const std::string> texts, ProgressSink & progress,
                                           std::stop_token stop) {
    using Pooling = ProbeFeature::Pooling;
    const auto uses = [&](Pooling pooling) {
        return std::any_of(reading.features.begin(), reading.features.end(),
                           [&](const ProbeFeature & f) { return f.pooling == pooling; });
    };
    Capture capture;
    capture.resid_post = uses(Pooling::text_mean);
    capture.resid_last = uses(Pooling::suffix_last);
    for (const ProbeFeature & feature : reading.features) {
        if (feature.block < 0 || feature.block >= model.info().n_layer) {
            fail(ErrorKind::usage, "the probe reads block {}, the model {} has blocks 0-{}", feature.block,
                 model.info().name, model.info().n_layer - 1);
        }
        capture.layers.push_back(feature.block);
    }
    std::sort(capture.layers.begin(), capture.layers.end());
    capture.layers.erase(std::unique(capture.layers.begin(), capture.layers.end()), capture.layers.end());
    const std::vector<Token> start = model.tokenize("", true, false);
    const std::vector<Token> suffix =
        reading.suffix.empty() ? std::vector<Token>() : model.tokenize(reading.suffix, false, false);

    std::vector<Request> requests;
    std::vector<std::size_t> text_of;
    for (std::size_t i = 0; i < texts.size(); ++i) {
        Request request;
        request.kind = RequestKind::continue_;
        request.prompt = start;
        request.response = model.tokenize(texts[i], false, false);
        const bool skips = reading.skip_first_token && request.response.size() > 1;
        if (request.response.empty()) {
            continue;
        }
        request.capture = capture;
        request.capture.skip_first = skips ? 1 : 0;
        request.capture.skip_last = suffix.size();
        request.response.insert(request.response.end(), suffix.begin(), suffix.end());
        requests.push_back(std::move(request));
        text_of.push_back(i);
    }

    const auto width = static_cast<std::size_t>(model.info().n_embd);
    std::vector<std::vector<float>> rows(texts.size());
    std::size_t done = 0;
    scheduler.run(
        requests,
        [&](std::size_t index, Response && response) {
            progress.advance(++done);
            if (response.finish == FinishReason::too_long) {
                return;
            }
            std::vector<float> & row = rows[text_of[index]];
            row.reserve(reading.features.size() * width);
            for (const ProbeFeature & feature : reading.features) {
                const auto place =
                    std::find(capture.layers.begin(), capture.layers.end(), feature.block) - capture.layers.begin();
                const std::vector<float> & from =
                    feature.pooling == Pooling::text_mean ? response.resid_post : response.resid_last;
                const auto begin = from.begin() + place * static_cast<std::ptrdiff_t>(width);
                row.insert(row.end(), begin, begin + static_cast<std::ptrdiff_t>(width));
            }
        },
        progress, std::move(stop));
    return rows;
}

void require_concepts(const Probe & probe, const ConceptSet & concepts) {
    for (const Concept & wanted : concepts.concepts) {
        if (std::find(probe.values.begin(), probe.values.end(), wanted.id) == probe.values.end()) {
            fail(ErrorKind::usage,
                 "the probe {} does not know the concept '{}' (it knows {}); use another judge (judge.kind = \"ask\"), "
                 "or train a probe with "
                 "`valuelens judge-train`",
                 probe.name, wanted.id, fmt::join(probe.values, ", "));
        }
    }
}

namespace {

class ProbeJudge : public Judge {
public:
    ProbeJudge(Probe probe, std::shared_ptr<Model> model, const SchedulerOptions & options, const ConceptSet & concepts,
               ProbePrior prior)
        : probe_(std::move(probe)), model_(std::move(model)), scheduler_(model_, options), prior_(prior) {
        const ModelInfo & info = model_->info();
        if (info.n_embd != probe_.n_embd || info.n_layer != probe_.n_layer || info.name != probe_.model_name) {
            fail(ErrorKind::model,
                 "the probe {} reads {} ({} blocks of width {}), not {} ({} blocks of width {}); give that model, or "
                 "train a probe "
                 "with `valuelens judge-train`",
                 probe_.name, probe_.model_name, probe_.n_layer, probe_.n_embd, info.name, info.n_layer, info.n_embd);
        }
        require_concepts(probe_, concepts);
        for (const Concept & wanted : concepts.concepts) {
            places_.push_back(static_cast<std::size_t>(
                std::find(probe_.values.begin(), probe_.values.end(), wanted.id) - probe_.values.begin()));
        }
    }

    std::string describe() const override {
        return fmt::format("probe {} on {} ({}), {} prior", probe_.name, model_->info().name,
                           model_->info().identity.substr(0, 12),
                           prior_ == ProbePrior::balanced ? "balanced" : "training");
    }

    std::string model_identity() const override { return model_->info().identity; }

    std::vector<std::vector<double>> judge(std::span<const JudgeItem> items, ProgressSink & progress,
                                           std::stop_token stop) override {
        std::vector<std::string> texts;
        for (const JudgeItem & item : items) {
            texts.push_back(item.text);
        }
        const std::vector<std::vector<float>> rows =
            read_texts(*model_, scheduler_, probe_.reading, texts, progress, std::move(stop));
        std::vector<std::vector<double>> probabilities(items.size());
        for (std::size_t i = 0; i < items.size(); ++i) {
            if (rows[i].empty()) {
                probabilities[i].assign(items[i].values.size(), std::numeric_limits<double>::quiet_NaN());
                continue;
            }
            const std::vector<double> odds = probe_.log_odds(rows[i]);
            for (const std::size_t value : items[i].values) {
                const std::size_t place = places_[value];
                double shift = 0;
                if (prior_ == ProbePrior::balanced) {
                    const double rate = probe_.base_rate[place];
                    shift = std::log(rate / (1 - rate));
                }
                probabilities[i].push_back(1 / (1 + std::exp(shift - odds[place])));
            }
        }
        return probabilities;
    }

private:
    Probe probe_;
    std::shared_ptr<Model> model_;
    Scheduler scheduler_;
    ProbePrior prior_;
    std::vector<std::size_t> places_; ///< [concept] its row in the probe
};

} // namespace

std::unique_ptr<Judge> make_probe_judge(Probe probe, std::shared_ptr<Model> model, const SchedulerOptions & options,
                                        const ConceptSet & concepts, ProbePrior prior) {
    return std::make_unique<ProbeJudge>(std::move(probe), std::move(model), options, concepts, prior);
}

} // namespace valuelens

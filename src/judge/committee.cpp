#include <algorithm>
#include <cmath>

#include "base/fail.h"
#include "judge/log_odds.h"
#include "judge/probe.h"

namespace valuelens {
namespace {

class Committee : public Judge {
public:
    explicit Committee(std::vector<std::unique_ptr<Judge>> members) : members_(std::move(members)) {}

    std::string describe() const override {
        std::string text;
        for (const auto & member : members_) {
            text += (text.empty() ? "" : " + ") + member->describe();
        }
        return text;
    }

    std::string model_identity() const override {
        std::string text;
        for (const auto & member : members_) {
            text += member->model_identity();
        }
        return text;
    }

    std::vector<std::vector<double>> judge(std::span<const JudgeItem> items, ProgressSink & progress,
                                           std::stop_token stop) override {
        // Each member reads all texts; together they advance the bar once.
        class Share : public ProgressSink {
        public:
            Share(ProgressSink & sink, std::size_t member, std::size_t count)
                : sink_(sink), member_(member), count_(count) {}
            void advance(std::uint64_t done, std::string_view extra) override {
                if (member_ + 1 == count_) {
                    sink_.advance(done, extra);
                }
            }
            void message(LogLevel level, std::string_view text) override { sink_.message(level, text); }

        private:
            ProgressSink & sink_;
            std::size_t member_;
            std::size_t count_;
        };
        std::vector<std::vector<double>> sums;
        for (std::size_t m = 0; m < members_.size(); ++m) {
            Share share(progress, m, members_.size());
            const std::vector<std::vector<double>> answers = members_[m]->judge(items, share, stop);
            if (sums.empty()) {
                sums.resize(answers.size());
            }
            for (std::size_t i = 0; i < answers.size(); ++i) {
                sums[i].resize(answers[i].size(), 0.0);
                for (std::size_t k = 0; k < answers[i].size(); ++k) {
                    sums[i][k] += log_odds(answers[i][k]);
                }
            }
        }
        for (std::vector<double> & row : sums) {
            for (double & sum : row) {
                sum = probability_of(sum / static_cast<double>(members_.size()));
            }
        }
        return sums;
    }

private:
    std::vector<std::unique_ptr<Judge>> members_;
};

} // namespace

std::unique_ptr<Judge> make_committee(std::vector<std::unique_ptr<Judge>> members) {
    if (members.empty()) {
        fail(ErrorKind::internal, "a committee of judges needs members");
    }
    if (members.size() == 1) {
        return std::move(members.front());
    }
    return std::make_unique<Committee>(std::move(members));
}

} // namespace valuelens

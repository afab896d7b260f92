#pragma once

#include <functional>
#include <string>
#include <vector>

#include "valuelens/judge.h"

namespace valuelens::test {

/// A judge whose answers the test gives, and that remembers what it was asked.
class FakeJudge : public Judge {
public:
    using Answer = std::function<double(const JudgeItem & item, std::size_t value)>;

    explicit FakeJudge(Answer answer, std::string name = "fake") : answer_(std::move(answer)), name_(std::move(name)) {}

    std::string describe() const override { return name_; }

    std::vector<std::vector<double>> judge(std::span<const JudgeItem> items, ProgressSink & progress,
                                           std::stop_token) override {
        if (before_call) {
            before_call();
        }
        ++calls;
        std::vector<std::vector<double>> answers;
        for (const JudgeItem & item : items) {
            asked.push_back(item);
            std::vector<double> row;
            for (const std::size_t value : item.values) {
                row.push_back(answer_(item, value));
            }
            answers.push_back(std::move(row));
            progress.advance(answers.size());
        }
        return answers;
    }

    std::function<void()> before_call;
    std::vector<JudgeItem> asked;
    int calls = 0;

private:
    Answer answer_;
    std::string name_;
};

/// Two concepts, "care" and "power".
inline ConceptSet two_concepts() {
    ConceptSet set{"pair", "", "", {}};
    set.concepts.push_back({"care", "Care", "the welfare of others", "care", "", {}, {}});
    set.concepts.push_back({"power", "Power", "status and control", "power", "", {}, {}});
    return set;
}

} // namespace valuelens::test

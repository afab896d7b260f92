#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "base/fail.h"
#include "base/file.h"
#include "concepts/json_lines.h"
#include "concepts/shipped.h"
#include "concepts/unique_ids.h"
#include "evaluate/instruction_checks.h"
#include "evaluate/summarize.h"
#include "evaluate/task.h"
#include "valuelens/rule_evaluations.h"

namespace valuelens {
namespace {

constexpr const char * schema = R"({"key", "prompt", "instruction_id_list": [...], "kwargs": [{...}, ...]})";
constexpr const char * shipped = "instructions/tasks.jsonl";

struct Instruction {
    std::string id;
    InstructionCheck check;
};

struct InstructedPrompt {
    std::string id;
    std::string text;
    std::vector<Instruction> instructions; ///< at least one
};

InstructedPrompt read_prompt(const JsonRecord & record) {
    InstructedPrompt prompt{record.identifier("key"), record.text("prompt"), {}};
    const auto list = [&](const char * key) -> const nlohmann::json & {
        const auto found = record.object.find(key);
        if (found == record.object.end() || !found->is_array()) {
            record.bad("\"{}\" is no list; expected {}", key, record.schema);
        }
        return *found;
    };
    const nlohmann::json & ids = list("instruction_id_list");
    const nlohmann::json & arguments = list("kwargs");
    if (ids.empty() || ids.size() != arguments.size()) {
        record.bad("\"instruction_id_list\" has {} entries and \"kwargs\" {}; expected as many, at least one",
                   ids.size(), arguments.size());
    }
    for (std::size_t i = 0; i < ids.size(); ++i) {
        if (!ids[i].is_string()) {
            record.bad("entry {} of \"instruction_id_list\" is no text", i);
        }
        const std::string id = ids[i].get<std::string>();
        try {
            prompt.instructions.push_back({id, make_instruction_check(id, arguments[i])});
        } catch (const Error & error) {
            record.bad("{}", error.what());
        }
    }
    return prompt;
}

std::vector<InstructedPrompt> load_prompts(const std::filesystem::path & input) {
    const std::string name = input.empty() ? shipped_text(shipped).name : input.string();
    const std::string text = input.empty() ? std::string(shipped_text(shipped).text) : read_file(input);
    std::vector<InstructedPrompt> prompts;
    UniqueIds ids;
    for_each_json_record(text, name, schema, [&](const JsonRecord & record) {
        prompts.push_back(read_prompt(record));
        ids.add(prompts.back().id, record.where);
    });
    return prompts;
}

constexpr double dropped = std::numeric_limits<double>::quiet_NaN();

class InstructionsTask : public EvaluationTask {
public:
    explicit InstructionsTask(const InstructionsOptions & options)
        : options_(options), prompts_(load_prompts(options.input)) {
        if (options.max_tokens < 1) {
            fail(ErrorKind::usage, "--max-tokens {}: expected 1 or more", options.max_tokens);
        }
    }

    std::string name() const override { return "instructions"; }

    Evaluation run(Respondent & respondent, const EvaluationOptions & options) const override {
        Evaluation result = start_evaluation(name(), "instruction", respondent, options);
        note_input(result, options_.input);
        result.settings.emplace_back("max_tokens", fmt::format("{}", options_.max_tokens));
        result.settings.emplace_back("temperature", "0");
        result.quantities = {"prompt_strict", "prompt_loose",       "cut_off",
                             "answer_tokens", "instruction_strict", "instruction_loose"};
        result.measures = {
            {"prompt_strict", "prompt_strict", "percent of prompts all of whose instructions are followed",
             Aggregate::mean, false, false},
            {"prompt_loose", "prompt_loose",
             "the same where an answer may be read without its first line, its last line, and asterisks",
             Aggregate::mean, false, false},
            {"instruction_strict", "instruction_strict", "percent of instructions that are followed"},
            {"instruction_loose", "instruction_loose", "the same, read loosely"},
            {"cut_off", "cut_off", "percent of answers that ended because they reached max_tokens", Aggregate::mean,
             false, false},
            {"answer_tokens", "answer_tokens", "mean length of an answer in tokens", Aggregate::mean, false, false}};

        std::vector<const InstructedPrompt *> asked;
        std::vector<std::string> texts;
        for (const std::size_t place : sample_items(prompts_.size(), options.limit, options.seed)) {
            asked.push_back(&prompts_[place]);
            texts.push_back(prompts_[place].text);
        }
        const auto answers = respondent.write(name(), texts, {.max_tokens = options_.max_tokens});
        std::size_t too_long = 0;
        const std::size_t n_variants = result.variants.size();
        for (std::size_t i = 0; i < asked.size(); ++i) {
            too_long += answers[i * n_variants].empty() ? 1 : 0;
            score(*asked[i], std::span(answers).subspan(i * n_variants, n_variants), result);
        }
        note_drop(result, "too_long", "prompts", too_long);
        finish_evaluation(result, respondent, groups());
        return result;
    }

private:
    /// The ids that occur, sorted.
    std::vector<std::string> groups() const {
        std::set<std::string> ids;
        for (const InstructedPrompt & prompt : prompts_) {
            for (const Instruction & instruction : prompt.instructions) {
                ids.insert(instruction.id);
            }
        }
        return {ids.begin(), ids.end()};
    }

    /// An item for the prompt, and one for each of its instructions.
    static void score(const InstructedPrompt & prompt, std::span<const std::vector<WrittenAnswer>> answers,
                      Evaluation & result) {
        const std::vector<double> none(answers.size(), dropped);
        EvaluationItem whole{prompt.id, prompt.id, {}, {none, none, none, none, none, none}};
        std::vector<EvaluationItem> parts;
        for (std::size_t i = 0; i < prompt.instructions.size(); ++i) {
            parts.push_back({fmt::format("{}/{}", prompt.id, i), prompt.id, {prompt.instructions[i].id}, whole.scores});
        }
        for (std::size_t variant = 0; variant < answers.size(); ++variant) {
            if (answers[variant].empty()) {
                continue;
            }
            const WrittenAnswer & answer = answers[variant].front();
            bool all_strict = true;
            bool all_loose = true;
            for (std::size_t i = 0; i < parts.size(); ++i) {
                const InstructionCheck & check = prompt.instructions[i].check;
                const bool strict = follows_strictly(check, answer.text);
                const bool loose = strict || follows_loosely(check, answer.text);
                parts[i].scores[4][variant] = strict ? 100 : 0;
                parts[i].scores[5][variant] = loose ? 100 : 0;
                all_strict = all_strict && strict;
                all_loose = all_loose && loose;
            }
            whole.scores[0][variant] = all_strict ? 100 : 0;
            whole.scores[1][variant] = all_loose ? 100 : 0;
            whole.scores[2][variant] = answer.cut_off ? 100 : 0;
            whole.scores[3][variant] = static_cast<double>(answer.tokens);
        }
        result.items.push_back(std::move(whole));
        result.items.insert(result.items.end(), parts.begin(), parts.end());
    }

    InstructionsOptions options_;
    std::vector<InstructedPrompt> prompts_;
};

} // namespace

std::unique_ptr<EvaluationTask> instructions_task(const InstructionsOptions & options) {
    return std::make_unique<InstructionsTask>(options);
}

} // namespace valuelens

#include "explain/asker.h"

#include <algorithm>
#include <cctype>
#include <cmath>

#include "base/fail.h"
#include "base/random.h"
#include "base/text.h"
#include "clients/answer_text.h"
#include "clients/first_token.h"
#include "concepts/text_lines.h"

namespace valuelens {

namespace {

constexpr int most_attempts = 3;
constexpr int offered_logprobs = 20; // the most that OpenAI and vLLM give
constexpr double again_temperature = 0.7;
constexpr std::size_t longest_phrase = 240; // bytes
constexpr int lowest_rating = 1;
constexpr int highest_rating = 5;
constexpr std::size_t most_words = 15; // of a phrase: what is longer may be a phrase with remarks behind it
constexpr const char * abbreviations[] = {"approx", "cf",  "corp", "dept", "dr",  "esp", "etc",
                                          "fig",    "gov", "inc",  "jr",   "ltd", "mr",  "mrs",
                                          "ms",     "no",  "prof", "sen",  "sr",  "st",  "vs"};
constexpr std::string_view refusals[] = {
    "i'm sorry",  "i am sorry",  "i apologize",  "i apologise",   "i cannot", "i can not",          "i can't",
    "i'm unable", "i am unable", "i'm not able", "i am not able", "as an ai", "as a language model"};

bool is_letter(char c) {
    return std::isalpha(static_cast<unsigned char>(c)) != 0 || static_cast<unsigned char>(c) >= 0x80;
}

/// Takes off "Explanation:", "Phrase:" or "Commonality:" before the answer.
std::string_view without_label(std::string_view text) {
    const std::size_t colon = text.find(':');
    if (colon == std::string_view::npos || colon > 24) {
        return text;
    }
    const std::string label = lower_ascii(text.substr(0, colon));
    for (const char * word : {"explanation", "phrase", "answer", "description", "commonality"}) {
        if (label.find(word) != std::string::npos) {
            return trimmed(text.substr(colon + 1));
        }
    }
    return text;
}

/// Whether a text that ends in a full stop ends in an abbreviation: "U.S.", "e.g.", "J.", "etc."
bool ends_in_abbreviation(std::string_view text) {
    text.remove_suffix(1);
    const std::size_t before = text.find_last_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.");
    const std::string word = lower_ascii(before == std::string_view::npos ? text : text.substr(before + 1));
    if (word.size() == 1 || word.find('.') != std::string::npos) {
        return true;
    }
    const auto & known = abbreviations;
    return std::find(std::begin(known), std::end(known), word) != std::end(known);
}

std::string_view first_sentence(std::string_view text) {
    for (std::size_t at = 0; at + 1 < text.size(); ++at) {
        const bool ends =
            text[at] == '!' || text[at] == '?' || (text[at] == '.' && !ends_in_abbreviation(text.substr(0, at + 1)));
        if (ends && text[at + 1] == ' ') {
            return text.substr(0, at);
        }
    }
    return text;
}

std::string_view without_full_stop(std::string_view text) {
    return text.ends_with('.') && !ends_in_abbreviation(text) ? text.substr(0, text.size() - 1) : text;
}

std::size_t count_words(std::string_view text) {
    std::size_t words = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        words += text[i] != ' ' && (i == 0 || text[i - 1] == ' ') ? 1 : 0;
    }
    return words;
}

/// Whether the answer says that there will be none.
bool is_refusal(std::string_view text) {
    std::string start = lower_ascii(text.substr(0, longest_phrase));
    for (std::size_t at = start.find("\u2019"); at != std::string::npos; at = start.find("\u2019")) {
        start.erase(at, 2);
        start[at] = '\'';
    }
    return std::any_of(std::begin(refusals), std::end(refusals), [&](std::string_view opening) {
        return start.starts_with(opening) && (start.size() == opening.size() || !is_letter(start[opening.size()]));
    });
}

std::string_view without_quotes(std::string_view text) {
    while (text.size() >= 2 && (text.front() == '"' || text.front() == '\'' || text.front() == '*') &&
           text.back() == text.front()) {
        text = trimmed(text.substr(1, text.size() - 2));
    }
    return text;
}

AskerAnswer problem(std::string what) {
    AskerAnswer answer;
    answer.problem = std::move(what);
    return answer;
}

} // namespace

AskerAnswer read_phrase(const ChatReply & reply) {
    const std::optional<std::string_view> text = behind_think_block(reply.content);
    if (!text) {
        return problem("the answer ended inside a think block");
    }
    std::string_view rest = *text;
    const std::string_view first_line = trimmed(take_line(rest));
    const std::string_view said = without_quotes(without_label(without_quotes(first_line)));
    const bool ended_early = reply.finish_reason == "length" && first_line.size() == text->size();
    const std::string_view kept = ended_early || count_words(said) > most_words ? first_sentence(said) : said;
    const std::string_view line = trimmed(without_quotes(without_full_stop(trimmed(kept))));
    if (line.empty()) {
        return problem("the answer was empty");
    }
    if (std::none_of(line.begin(), line.end(), is_letter)) {
        return problem("the answer holds no word");
    }
    if (is_refusal(line)) {
        return problem("the answer was a refusal");
    }
    // Cut off at the limit before its first line or sentence had come to an end.
    const bool cut_off = ended_early && kept.size() == said.size() && without_full_stop(said).size() == said.size();
    if (cut_off || line.size() > longest_phrase) {
        return problem("the answer was no phrase but longer");
    }
    AskerAnswer answer;
    answer.text = line;
    return answer;
}

AskerAnswer read_yes_no(const ChatReply & reply) {
    AskerAnswer answer;
    if (!reply.first_token.empty()) {
        answer.number = first_token_odds(reply.first_token, "Yes", "No");
    }
    if (!answer.number) {
        const std::string word = lower_ascii(behind_think_block(reply.content).value_or(""));
        const auto is = [&](std::string_view wanted) {
            return word.starts_with(wanted) && (word.size() == wanted.size() || !is_letter(word[wanted.size()]));
        };
        if (is("yes") || is("no")) {
            answer.number = is("yes") ? 1.0 : -1.0;
        } else {
            answer.problem = "the answer was neither yes nor no";
        }
    }
    return answer;
}

AskerAnswer read_rating(const ChatReply & reply) {
    AskerAnswer answer;
    double weight = 0;
    double sum = 0;
    for (const TokenTextLogprob & entry : reply.first_token) {
        const std::string_view token = trimmed(entry.token);
        if (token.size() == 1 && token[0] >= '0' + lowest_rating && token[0] <= '0' + highest_rating) {
            weight += std::exp(entry.logprob);
            sum += std::exp(entry.logprob) * (token[0] - '0');
        }
    }
    if (weight > 0) {
        answer.number = sum / weight;
        return answer;
    }
    const std::string_view text = behind_think_block(reply.content).value_or("");
    if (!text.empty() && text[0] >= '0' + lowest_rating && text[0] <= '0' + highest_rating &&
        (text.size() == 1 || std::isdigit(static_cast<unsigned char>(text[1])) == 0)) {
        answer.number = text[0] - '0';
    } else {
        answer.problem = "the answer was no number from 1 to 5";
    }
    return answer;
}

Asker::Asker(ChatService & service, std::uint64_t seed, std::stop_token stop, std::function<void()> on_answer)
    : service_(service), seed_(seed), stop_(std::move(stop)), on_answer_(std::move(on_answer)) {}

std::vector<AskerAnswer> Asker::explain(std::span<const std::string> prompts, int max_tokens) {
    ChatRequest form;
    form.max_tokens = max_tokens;
    return ask(prompts, form, read_phrase);
}

std::vector<AskerAnswer> Asker::yes_no(std::span<const std::string> prompts) {
    ChatRequest form;
    form.max_tokens = 1;
    form.top_logprobs = offered_logprobs;
    return ask(prompts, form, read_yes_no);
}

std::vector<AskerAnswer> Asker::rate(std::span<const std::string> prompts) {
    ChatRequest form;
    form.max_tokens = 1;
    form.top_logprobs = offered_logprobs;
    return ask(prompts, form, read_rating);
}

std::vector<AskerAnswer> Asker::ask(std::span<const std::string> prompts, const ChatRequest & form, const Read & read) {
    std::vector<AskerAnswer> answers(prompts.size());
    std::vector<std::size_t> open(prompts.size());
    for (std::size_t i = 0; i < open.size(); ++i) {
        open[i] = i;
    }
    for (int attempt = 0; attempt < most_attempts && !open.empty() && down_.empty(); ++attempt) {
        std::vector<ChatRequest> requests;
        for (const std::size_t i : open) {
            ChatRequest & request = requests.emplace_back(form);
            request.messages.push_back({"user", prompts[i]});
            if (attempt > 0) {
                request.temperature = again_temperature;
                request.seed = derive_seed(seed_, fmt::format("explain/again {}", attempt));
            }
        }
        std::vector<std::uint8_t> unread(open.size(), 1);
        try {
            service_.ask_all(
                requests,
                [&](std::size_t index, ChatOutcome && outcome) {
                    AskerAnswer & answer = answers[open[index]];
                    if (outcome.status == ChatStatus::answered) {
                        answer = read(outcome.reply);
                        unread[index] = answer.problem.empty() ? 0 : 1;
                    } else {
                        answer = problem(outcome.problem);
                        unread[index] = 0; // it would not be answered the next time either
                    }
                    if (on_answer_) {
                        on_answer_();
                    }
                },
                stop_);
        } catch (const Error & error) {
            if (error.kind() != ErrorKind::judge) {
                throw;
            }
            down_ = error.what();
        }
        std::vector<std::size_t> again;
        for (std::size_t k = 0; k < open.size(); ++k) {
            if (unread[k] != 0) {
                again.push_back(open[k]);
            }
        }
        open = std::move(again);
    }
    for (const std::size_t i : open) {
        if (!down_.empty() && answers[i].problem.empty()) {
            answers[i].problem = down_;
        }
    }
    return answers;
}

} // namespace valuelens

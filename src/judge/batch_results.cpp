#include "judge/batch_results.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/fail.h"
#include "base/file.h"
#include "base/hash.h"
#include "clients/failure.h"

namespace valuelens {

using nlohmann::json;

namespace {

constexpr std::size_t shown_failures = 3;

// Why a result line carries no answer; empty where it carries one, whose body is put into `body`.
std::string failure_of(const json & line, std::string & body) {
    if (const auto error = line.find("error"); error != line.end() && !error->is_null()) {
        const std::string said = server_message(line.dump());
        return said.empty() ? error->dump() : said;
    }
    const auto response = line.find("response");
    if (response == line.end() || !response->is_object()) {
        return "no response";
    }
    const auto status = response->find("status_code");
    const auto inner = response->find("body");
    body = inner == response->end() ? "" : inner->dump();
    if (status != response->end() && *status != 200) {
        return "HTTP " + status->dump() + " " + server_message(body);
    }
    return inner == response->end() ? "no body" : "";
}

class Reader {
public:
    Reader(const ServerQuestions & questions, const std::string & model)
        : questions_(questions), model_(model), tag_(batch_tag(questions, model)) {}

    void read(const std::string & where, std::string_view text) {
        const json line = json::parse(text, nullptr, false);
        if (!line.is_object() || !line.contains("custom_id") || !line["custom_id"].is_string()) {
            fail(
                ErrorKind::bad_input,
                R"({}: is no result of a batch; expected {{"custom_id", "response": {{"status_code", "body"}}, "error"}})",
                where);
        }
        const std::string id = line["custom_id"].get<std::string>();
        if (!id.starts_with(tag_ + "/")) {
            fail(ErrorKind::bad_input,
                 "{}: '{}' answers other questions than this run's judge would ask (tag {}): another model, prompt or "
                 "judge.answers; export and ask again, or restore them",
                 where, id, tag_);
        }
        std::string body;
        const std::string failure = failure_of(line, body);
        if (!failure.empty()) {
            note_failure(failure);
            return;
        }
        std::string problem;
        const std::optional<ChatReply> reply = parse_chat_reply(body, problem);
        if (!reply) {
            note_failure(problem);
            return;
        }
        if (!may_be_model(model_, reply->model)) {
            fail(ErrorKind::bad_input, "{}: was answered by the model '{}', but judge.server_model is '{}'", where,
                 reply->model, model_);
        }
        const std::optional<double> odds = questions_.log_odds(*reply);
        store(id, odds);
    }

    BatchResults results;

private:
    void note_failure(const std::string & why) {
        ++results.failed;
        if (results.failures.size() < shown_failures) {
            results.failures.push_back(why);
        }
    }

    void store(const std::string & id, std::optional<double> odds) {
        const auto [place, fresh] = results.odds.emplace(id, odds.value_or(std::numeric_limits<double>::quiet_NaN()));
        if (fresh) {
            results.unreadable += odds ? 0 : 1;
        } else if (std::isnan(place->second) && odds) { // a later batch was answered better
            place->second = *odds;
            --results.unreadable;
        } else {
            ++results.doubled;
        }
    }

    const ServerQuestions & questions_;
    const std::string & model_;
    std::string tag_;
};

} // namespace

std::string batch_id(const std::string & tag, const std::string & response, const std::string & value) {
    return tag + "/" + response + "/" + value;
}

std::string batch_tag(const ServerQuestions & questions, const std::string & model) {
    return sha256_hex(questions.describe(model)).substr(0, 8);
}

BatchResults read_batch_results(std::span<const std::filesystem::path> files, const ServerQuestions & questions,
                                const std::string & model) {
    Reader reader(questions, model);
    for (const std::filesystem::path & file : files) {
        for_each_line(file, [&](std::string_view line, std::size_t number) {
            if (line.find_first_not_of(" \t") != std::string_view::npos) {
                reader.read(fmt::format("{}:{}", file.string(), number), line);
            }
        });
    }
    return std::move(reader.results);
}

} // namespace valuelens

#include "pipeline/sample.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include <nlohmann/json.hpp>

#include "base/fail.h"
#include "base/file.h"
#include "base/random.h"
#include "engine/scheduler_stats.h"
#include "pipeline/steer_spec.h"
#include "valuelens/records.h"

namespace valuelens {

namespace {

/// Requests that are scheduled together, about: all answers to a prompt stay in one slice.
constexpr std::size_t slice_size = 256;
constexpr const char * base_name = "base";

/// What is done to the model in one column of the comparison.
struct Column {
    std::vector<std::string> steer;
    std::vector<std::string> scale_neurons;
};

/// The columns after base.
std::vector<Column> columns_of(const SampleOptions & options) {
    if (options.steer.empty() && options.scale_neurons.empty()) {
        return {};
    }
    if (options.together) {
        return {{options.steer, options.scale_neurons}};
    }
    std::vector<Column> columns;
    for (const std::string & text : options.steer) {
        columns.push_back({{text}, {}});
    }
    for (const std::string & text : options.scale_neurons) {
        columns.push_back({{}, {text}});
    }
    return columns;
}

std::vector<Transcript> load_prompts(const SampleOptions & options) {
    if (!options.input.empty()) {
        return load_transcripts(options.input, /* require_response = */ false);
    }
    Transcript prompt;
    prompt.id = "prompt";
    prompt.system = options.system;
    prompt.user = options.prompt;
    return {prompt};
}

Request make_request(const Model & model, const Transcript & prompt, const SampleOptions & options) {
    Request request;
    request.kind = RequestKind::generate;
    request.prompt = prompt.prompt ? model.render_plain(*prompt.prompt).tokens
                                   : model.render_chat(prompt.system, prompt.user).tokens;
    if (request.prompt.empty()) {
        fail(ErrorKind::bad_input, "{}:{}: the prompt has no tokens", options.input.string(), prompt.line);
    }
    request.max_tokens = options.max_tokens;
    request.sampling = options.sampling;
    request.sampling.seed = derive_seed(options.sampling.seed, "sample/" + prompt.id);
    return request;
}

/// The answers of one request so far, given out in whole characters.
class TextStream {
public:
    TextStream(const Model & model, const OnSampleText & on_text) : model_(model), on_text_(on_text) {}

    void take(std::size_t column, Token token) {
        Answer & answer = answers_[column];
        answer.tokens.push_back(token);
        const std::string text = model_.detokenize(answer.tokens);
        // A character that is not yet complete is left out, so the text only grows.
        if (text.size() > answer.given) {
            on_text_(column, std::string_view(text).substr(answer.given));
            answer.given = text.size();
        }
    }

private:
    struct Answer {
        std::vector<Token> tokens;
        std::size_t given = 0;
    };
    const Model & model_;
    const OnSampleText & on_text_;
    std::map<std::size_t, Answer> answers_;
};

/// What was asked stands with each answer, so that the file can be read by itself.
std::string line_of(const Sample & sample, const Transcript & asked) {
    nlohmann::ordered_json json = {{"id", sample.id}, {"intervention", sample.intervention}};
    if (asked.prompt) {
        json["prompt"] = *asked.prompt;
    } else {
        if (asked.system) {
            json["system"] = *asked.system;
        }
        json["user"] = asked.user;
    }
    json["text"] = sample.text;
    json["finish"] = to_string(sample.finish);
    json["n_tokens"] = sample.n_tokens;
    return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

void warn_of_too_long(const SampleResult & result, const SampleOptions & options, ProgressSink & progress) {
    if (!result.too_long.empty()) {
        progress.message(
            LogLevel::warning,
            fmt::format("{} of {} prompts do not fit the context together with {} tokens of answer and are "
                        "left empty (first: {}); raise --ctx-size or lower --predict",
                        result.too_long.size(), result.n_prompts, options.max_tokens, result.too_long.front()));
    }
}

} // namespace

std::vector<std::string> sample_columns(const SampleOptions & options) {
    std::vector<std::string> names = {base_name};
    for (const Column & column : columns_of(options)) {
        std::vector<std::string> parts = column.steer;
        parts.insert(parts.end(), column.scale_neurons.begin(), column.scale_neurons.end());
        names.push_back(fmt::format("{}", fmt::join(parts, " + ")));
    }
    std::set<std::string> seen;
    for (const std::string & name : names) {
        if (!seen.insert(name).second) {
            fail(ErrorKind::usage, "the intervention {} is given twice", name);
        }
    }
    return names;
}

SampleResult sample(const SampleOptions & options, ProgressSink & progress, std::stop_token stop,
                    const OnSampleText & on_text, const std::function<void(std::size_t intervention)> & on_done) {
    // All that can be wrong with the files is said before the model is loaded, which may take minutes.
    SampleResult result;
    result.interventions = sample_columns(options);
    const std::size_t n_columns = result.interventions.size();
    const std::vector<Transcript> prompts = load_prompts(options);
    result.n_prompts = prompts.size();
    std::unique_ptr<AtomicFile> output;
    if (!options.output.empty()) {
        output = std::make_unique<AtomicFile>(options.output);
    }
    const ModelInfo info = read_model_info(options.model.path);
    std::vector<std::shared_ptr<const Intervention>> interventions = {nullptr};
    for (const Column & column : columns_of(options)) {
        interventions.push_back(load_intervention(column.steer, column.scale_neurons, info, progress));
    }

    const std::shared_ptr<Model> model = Model::load(options.model, progress, stop);
    Scheduler scheduler(model, options.scheduler);
    const bool one_prompt = options.input.empty();
    if (!one_prompt) {
        progress.start("sample", prompts.size() * n_columns, "answers");
    }
    std::size_t done = 0;
    const std::size_t prompts_per_slice = std::max<std::size_t>(1, slice_size / n_columns);
    for (std::size_t first = 0; first < prompts.size(); first += prompts_per_slice) {
        const std::size_t last = std::min(prompts.size(), first + prompts_per_slice);
        std::vector<Request> requests;
        for (std::size_t p = first; p < last; ++p) {
            const Request request = make_request(*model, prompts[p], options);
            for (std::size_t column = 0; column < n_columns; ++column) {
                requests.push_back(request);
                requests.back().intervention = interventions[column];
            }
        }
        std::vector<Response> responses(requests.size());
        TextStream stream(*model, on_text);
        const auto on_response = [&](std::size_t index, Response && response) {
            responses[index] = std::move(response);
            if (!one_prompt) {
                progress.advance(++done);
            } else if (on_done && responses[index].finish != FinishReason::too_long) {
                on_done(index);
            }
        };
        Scheduler::OnToken on_token;
        if (one_prompt && on_text) {
            on_token = [&](std::size_t index, Token token) {
                stream.take(index, token);
            };
        }
        add(result.stats, scheduler.run(requests, on_response, progress, stop, on_token));
        for (std::size_t i = 0; i < responses.size(); ++i) {
            const Response & response = responses[i];
            const Sample answer{prompts[first + i / n_columns].id, result.interventions[i % n_columns],
                                model->detokenize(response.tokens), response.finish, response.tokens.size()};
            if (response.finish == FinishReason::too_long && i % n_columns == 0) {
                result.too_long.push_back(answer.id);
            }
            if (output) {
                output->write(line_of(answer, prompts[first + i / n_columns]));
            }
            if (one_prompt) {
                result.samples.push_back(answer);
            }
        }
    }
    if (!one_prompt) {
        progress.finish();
    }
    warn_of_too_long(result, options, progress);
    if (result.too_long.size() == prompts.size()) {
        fail(ErrorKind::bad_input,
             "no prompt fits the context together with {} tokens of answer; raise --ctx-size or "
             "lower --predict",
             options.max_tokens);
    }
    if (output) {
        output->commit();
    }
    return result;
}

} // namespace valuelens

#include "valuelens/run_config.h"

#include <toml++/toml.h>

#include <algorithm>
#include <functional>
#include <type_traits>

#include "base/fail.h"
#include "base/file.h"

namespace valuelens {

namespace fs = std::filesystem;

namespace {

enum class Change { frozen, free };

struct Range {
    double low;
    double high;
};

// The keys of a server, in the section of what it is to do.
template <typename Server, typename Visit>
void visit_server(const char * section, Server & server, Visit && visit) {
    using Words = std::vector<std::string>;
    const Range any{-9e18, 9e18};
    const Range not_negative{0, 9e18};
    visit(section, "url", server.url, Change::free, "server: its address, http[s]://host[:port]/v1", any, Words{});
    visit(section, "server_model", server.model, Change::frozen,
          "server: the model's name there; empty: the only one it has", any, Words{});
    visit(section, "api_key_env", server.api_key_env, Change::free,
          "server: the environment variable that holds the key, where it wants one", any, Words{});
    visit(section, "concurrency", server.concurrency, Change::free, "server: requests in flight", Range{1, 1024},
          Words{});
    visit(section, "timeout_s", server.timeout_s, Change::free, "server: seconds that one request may take",
          Range{0.001, 86400}, Words{});
    visit(section, "max_retries", server.max_retries, Change::free, "server: of a request, with growing pauses",
          Range{0, 100}, Words{});
    visit(section, "price_prompt", server.price_prompt, Change::free,
          "server: per million prompt tokens, for the estimate; 0: not known", not_negative, Words{});
    visit(section, "price_completion", server.price_completion, Change::free,
          "server: per million answer tokens, for the estimate; 0: not known", not_negative, Words{});
}

// The one list of all keys: section, key, field, whether a run may change it later, what it means, and what it may be.
template <typename Config, typename Visit>
void visit_fields(Config & c, Visit && visit) {
    using Words = std::vector<std::string>;
    const Range any{-9e18, 9e18};
    const Range positive{1, 9e18};
    const Range not_negative{0, 9e18};
    const Range share{0, 1};
    visit("", "seed", c.seed, Change::frozen, "of the template draws, sampling, query sample, splits and resamples",
          not_negative, Words{});
    visit("model", "path", c.model, Change::free, "the subject: a GGUF file, or NAME[:TYPE] of `valuelens models list`",
          any, Words{});
    visit("model", "threads", c.threads, Change::free, "0: the number of physical cores", not_negative, Words{});
    visit("model", "n_gpu_layers", c.n_gpu_layers, Change::free, "-1: as many as fit", any, Words{});
    visit("model", "ctx_size", c.ctx_size, Change::frozen,
          "longest prompt + response in tokens; 0: as needed, up to 8192", not_negative, Words{});
    visit("model", "parallel", c.parallel, Change::frozen, "sequences in flight", Range{1, 256}, Words{});
    visit("model", "kv_type", c.kv_type, Change::frozen, "of the key-value cache; auto: f32 for an F32 model, else f16",
          any, Words{"auto", "f32", "f16", "bf16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"});
    visit("model", "chat_template", c.chat_template, Change::frozen, "Jinja text instead of the model's own", any,
          Words{});
    visit("model", "chat_template_kwargs", c.chat_template_kwargs, Change::frozen, "JSON object of template variables",
          any, Words{});
    visit("model", "date", c.date, Change::frozen, "for templates that print today's date", any, Words{});
    visit("concepts", "file", c.concepts_file, Change::frozen, "concept set (TOML); empty: Schwartz's ten basic values",
          any, Words{});
    visit("templates", "file", c.templates_file, Change::frozen,
          "value system prompts (JSONL); empty: the 500 shipped ones", any, Words{});
    visit("queries", "file", c.queries_file, Change::frozen, "users' queries; empty: the shipped everyday queries", any,
          Words{});
    visit("queries", "format", c.queries_format, Change::frozen,
          "detect, jsonl, sharegpt, lmsys, text or value_portrait", any,
          Words{"detect", "jsonl", "sharegpt", "lmsys", "text", "value_portrait"});
    visit("queries", "limit", c.queries_limit, Change::frozen, "use at most so many; 0: all", not_negative, Words{});
    visit("queries", "sample", c.queries_sample, Change::frozen,
          "true: a seeded sample of `limit`; false: the first ones", any, Words{});
    visit("queries", "language", c.queries_language, Change::frozen,
          "LMSYS: only conversations in this language; empty: all", any, Words{});
    visit("generate", "max_tokens", c.max_tokens, Change::frozen, "longest response", positive, Words{});
    visit("generate", "temperature", c.temperature, Change::frozen, "0: greedy", Range{0, 100}, Words{});
    visit("generate", "top_k", c.top_k, Change::frozen, "0: off", not_negative, Words{});
    visit("generate", "top_p", c.top_p, Change::frozen, "1: off", share, Words{});
    visit("generate", "min_p", c.min_p, Change::frozen, "0: off", share, Words{});
    visit("generate", "activations", c.activations, Change::frozen,
          "f32, f16 (half the disk, scaled per row) or none (sums only: judged while generating)", any,
          Words{"f32", "f16", "none"});
    visit("generate", "slice_size", c.slice_size, Change::frozen, "responses per slice, the unit of resumption",
          positive, Words{});
    visit("generate", "source", c.generate_source, Change::frozen,
          "local, or server: the responses come from a server that runs the same model, and are read here", any,
          Words{"local", "server"});
    visit_server("generate", c.generate_server, visit);
    visit(
        "judge", "kind", c.judge_kind, Change::frozen,
        "probe, ask (a local model, yes or no), server (the same on a server), file (labels) or dictionary (word list)",
        any, Words{"probe", "ask", "server", "file", "dictionary"});
    visit("judge", "probe", c.judge_probe, Change::frozen,
          "auto (all shipped ones that do not read the subject), shipped names joined by +, or a file of `valuelens "
          "judge-train`",
          any, Words{});
    visit("judge", "model", c.judge_model, Change::free, "the judge's model; empty: the one the probe was trained on",
          any, Words{});
    visit("judge", "prompt", c.judge_prompt, Change::frozen,
          "kind = ask or server: auto (the shipped one for the judge's model), or a TOML file with user, yes and no",
          any, Words{});
    visit("judge", "prior", c.judge_prior, Change::frozen,
          "matched (recentred: half of this model's intrinsic responses express a value more than the other half), "
          "balanced or training (a probe's)",
          any, Words{"matched", "balanced", "training"});
    visit("judge", "file", c.judge_file, Change::frozen,
          "kind = file: labels (JSONL); kind = dictionary: word list (JSON)", any, Words{});
    visit("judge", "check", c.judge_check, Change::frozen,
          "human labels to measure the judge on; empty: the probe's own figures", any, Words{});
    visit("judge", "parallel", c.judge_parallel, Change::frozen, "sequences in flight in the judge's model",
          Range{1, 256}, Words{});
    visit("judge", "undecided_low", c.undecided_low, Change::frozen, "probabilities from here ...", share, Words{});
    visit("judge", "undecided_high", c.undecided_high, Change::frozen, "... to below here are left out and counted",
          share, Words{});
    visit("judge", "answers", c.judge_answers, Change::frozen,
          "kind = server: auto, logprobs (of yes and no as the first token) or json (a stated probability)", any,
          Words{"auto", "logprobs", "json"});
    visit("judge", "answer_tokens", c.judge_answer_tokens, Change::frozen,
          "kind = server: longest JSON answer; more where the model thinks before it", Range{8, 1e6}, Words{});
    visit_server("judge", c.judge_server, visit);
    visit("vectors", "min_count", c.min_count, Change::free, "fewest responses per class", positive, Words{});
    visit("vectors", "held_out", c.held_out, Change::free, "share of queries kept out of the fit for the AUROC", share,
          Words{});
    visit("vectors", "bootstraps", c.bootstraps, Change::free, "resamples of queries behind each interval",
          not_negative, Words{});
    visit("vectors", "confidence", c.confidence, Change::free, "of the intervals", share, Words{});
    visit("decompose", "normalize", c.normalize, Change::free,
          "axes of unit vectors, so that the longer one does not "
          "dominate",
          any, Words{});
    visit("decompose", "layers", c.decompose_layers, Change::free,
          "A-B, the layers of the headline numbers and of the averaged circle; empty: the middle half", any, Words{});
    visit("decompose", "permutations", c.permutations, Change::free, "behind the p of each circle", not_negative,
          Words{});
    visit("decompose", "null_draws", c.null_draws, Change::free, "sets of random directions behind each null",
          not_negative, Words{});
    visit("neurons", "top_percent", c.top_percent, Change::free, "of neurons kept per value", Range{1e-6, 100},
          Words{});
    visit("neurons", "max_angle", c.max_angle, Change::free,
          "degrees from an axis, beyond which a neuron has no "
          "category",
          Range{1e-6, 45}, Words{});
    visit("neurons", "scope", c.neuron_scope, Change::free, "top_percent of each layer, or of the whole model", any,
          Words{"layer", "model"});
    visit("neurons", "anti_shared", c.anti_shared, Change::free,
          "a category of its own for neurons that write against "
          "the shared axis",
          any, Words{});
    visit("neurons", "null_draws", c.neuron_null_draws, Change::free, "random planes behind the counts by chance",
          not_negative, Words{});
    visit("evaluate", "evaluations", c.evaluations, Change::free,
          "comma-separated names of `valuelens eval`, each done under all directions, values and alphas; empty: none",
          any, Words{});
    visit("evaluate", "directions", c.evaluate_directions, Change::free,
          "comma-separated: shared, intrinsic, prompted, intrinsic_orth, prompted_orth (axes); vector_intrinsic, "
          "vector_prompted (the value vectors)",
          any, Words{});
    visit("evaluate", "values", c.evaluate_values, Change::free, "comma-separated; empty: all of the concept set", any,
          Words{});
    visit("evaluate", "alphas", c.evaluate_alphas, Change::free, "comma-separated strengths, as alpha= of --steer", any,
          Words{});
    visit("evaluate", "unit", c.evaluate_unit, Change::free, "of the strengths, as unit= of --steer", any,
          Words{"raw", "resid"});
    visit("evaluate", "layers", c.evaluate_layers, Change::free, "A-B, the layers steered; empty: all", any, Words{});
    visit("evaluate", "languages", c.evaluate_languages, Change::free, "of cross-lingual, comma-separated", any,
          Words{});
    visit("evaluate", "questionnaire", c.evaluate_questionnaire, Change::free,
          "statements (JSONL) of pvq, leakage and cross-lingual; empty: the shipped portraits", any, Words{});
    visit("evaluate", "portrait", c.evaluate_portrait, Change::free, "Value Portrait's file, which portrait needs", any,
          Words{});
    visit("evaluate", "instructions", c.evaluate_instructions, Change::free,
          "IFEval's file or one like it; empty: the shipped tasks", any, Words{});
    visit("evaluate", "queries", c.evaluate_queries, Change::free,
          "queries of diversity; empty: the shipped everyday queries", any, Words{});
    visit("evaluate", "limit", c.evaluate_limit, Change::free, "a seeded sample of so many items; 0: all", not_negative,
          Words{});
    visit("evaluate", "bootstraps", c.evaluate_bootstraps, Change::free, "resamples behind each interval", not_negative,
          Words{});
}

std::string full_name(const char * section, const char * key) {
    return *section == 0 ? std::string(key) : fmt::format("{}.{}", section, key);
}

std::string quoted(const std::string & text) {
    std::string result = "\"";
    for (const char c : text) {
        switch (c) {
        case '"':
            result += "\\\"";
            break;
        case '\\':
            result += "\\\\";
            break;
        case '\n':
            result += "\\n";
            break;
        case '\t':
            result += "\\t";
            break;
        case '\r':
            result += "\\r";
            break;
        default:
            if (static_cast<unsigned char>(c) < 0x20) {
                result += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
            } else {
                result += c;
            }
        }
    }
    return result + "\"";
}

std::string written(const std::string & value) {
    return quoted(value);
}
std::string written(bool value) {
    return value ? "true" : "false";
}
std::string written(std::int64_t value) {
    return fmt::format("{}", value);
}
std::string written(double value) {
    const std::string text = fmt::format("{}", value);
    return text.find_first_of(".e") == std::string::npos ? text + ".0" : text;
}

// A path in a config is meant from where the config lies.
void resolve_path(std::string & value, const fs::path & folder) {
    if (value.empty() || fs::path(value).is_absolute()) {
        return;
    }
    const fs::path beside = folder / value;
    value = fs::absolute(fs::exists(beside) ? beside : fs::path(value)).lexically_normal().string();
}

template <typename T>
void assign(T & field, const toml::node & node, const std::string & where, const std::string & name,
            const Range & range, const std::vector<std::string> & words) {
    const auto bad = [&](const std::string & expected) {
        fail(ErrorKind::usage, "{}: {} must be {}", where, name, expected);
    };
    if constexpr (std::is_same_v<T, double>) {
        const auto value = node.value<double>();
        if (!value || !node.is_number()) {
            bad("a number");
        }
        field = *value;
    } else if constexpr (std::is_same_v<T, std::int64_t>) {
        if (!node.is_integer()) {
            bad("an integer");
        }
        field = *node.value<std::int64_t>();
    } else if constexpr (std::is_same_v<T, bool>) {
        if (!node.is_boolean()) {
            bad("true or false");
        }
        field = *node.value<bool>();
    } else {
        if (!node.is_string()) {
            bad("a text in quotes");
        }
        field = *node.value<std::string>();
        if (!words.empty() && std::find(words.begin(), words.end(), field) == words.end()) {
            bad(fmt::format("one of {}, not '{}'", fmt::join(words, ", "), field));
        }
    }
    if constexpr (std::is_arithmetic_v<T> && !std::is_same_v<T, bool>) {
        const auto number = static_cast<double>(field);
        if (!(number >= range.low && number <= range.high)) {
            bad(range.high > 1e18 ? fmt::format("at least {}", range.low)
                                  : fmt::format("from {} to {}", range.low, range.high));
        }
    }
}

} // namespace

RunConfig load_run_config(const fs::path & path) {
    return parse_run_config(read_file(path), path.string(),
                            path.has_parent_path() ? path.parent_path() : fs::path("."));
}

RunConfig parse_run_config(const std::string & text, const std::string & name, const fs::path & folder) {
    toml::table table;
    try {
        table = toml::parse(text, name);
    } catch (const toml::parse_error & error) {
        fail(ErrorKind::usage, "{}:{}: {}", name, error.source().begin.line, error.description());
    }
    RunConfig config;
    visit_fields(config, [&](const char * section, const char * key, auto & field, Change, const char *,
                             const Range & range, const std::vector<std::string> & words) {
        toml::table * home = &table;
        if (*section != 0) {
            toml::node * node = table.get(section);
            if (node == nullptr) {
                return;
            }
            home = node->as_table();
            if (home == nullptr) {
                fail(ErrorKind::usage, "{}:{}: '{}' must be a section: write [{}]", name, node->source().begin.line,
                     section, section);
            }
        }
        if (const toml::node * node = home->get(key)) {
            const std::string where =
                name.empty() ? "command line" : fmt::format("{}:{}", name, node->source().begin.line);
            assign(field, *node, where, full_name(section, key), range, words);
            home->erase(key);
        }
    });
    // What is left over after every known key was taken is unknown.
    for (const auto & [key, node] : table) {
        const toml::table * section = node.as_table();
        const toml::node * culprit = section == nullptr ? &node : nullptr;
        std::string full(key.str());
        bool known_section = false;
        RunConfig unused;
        visit_fields(
            unused, [&](const char * candidate, const char *, auto &, Change, const char *, const Range &,
                        const std::vector<std::string> &) { known_section = known_section || key.str() == candidate; });
        if (section != nullptr && known_section) {
            if (section->empty()) {
                continue;
            }
            full += "." + std::string(section->begin()->first.str());
            culprit = &section->begin()->second;
        }
        const auto line = culprit == nullptr ? node.source().begin.line : culprit->source().begin.line;
        fail(ErrorKind::usage, "{}:{}: unknown key '{}'; docs/configuration.md lists all keys", name, line, full);
    }
    for (std::string * file : {&config.concepts_file, &config.templates_file, &config.queries_file, &config.judge_file,
                               &config.judge_check, &config.evaluate_questionnaire, &config.evaluate_portrait,
                               &config.evaluate_instructions, &config.evaluate_queries}) {
        resolve_path(*file, folder);
    }
    for (std::string * file : {&config.model, &config.judge_model, &config.judge_probe}) {
        if (file->find('/') != std::string::npos || file->ends_with(".gguf") || file->ends_with(".safetensors")) {
            resolve_path(*file, folder);
        }
    }
    if (config.judge_prompt != "auto") {
        resolve_path(config.judge_prompt, folder);
    }
    if (config.activations == "none" && config.judge_prior == "matched" && config.judge_kind != "file" &&
        config.judge_kind != "dictionary") {
        fail(ErrorKind::usage,
             "{}generate.activations = \"none\" needs labels while generating, and judge.prior = \"matched\" decides "
             "at the end; choose \"balanced\" or \"training\", or keep activations",
             name.empty() ? "" : name + ": ");
    }
    if (config.undecided_low > config.undecided_high) {
        fail(ErrorKind::usage, "{}judge.undecided_low ({}) must not exceed judge.undecided_high ({})",
             name.empty() ? "" : name + ": ", config.undecided_low, config.undecided_high);
    }
    return config;
}

std::string to_toml(const RunConfig & config) {
    std::string text = "# The resolved configuration of a run: every default is written out.\n";
    std::string current = "";
    visit_fields(config, [&](const char * section, const char * key, const auto & field, Change, const char * meaning,
                             const Range &, const std::vector<std::string> &) {
        if (section != current) {
            current = section;
            text += fmt::format("\n[{}]\n", section);
        }
        text += fmt::format("{} = {} # {}\n", key, written(field), meaning);
    });
    return text;
}

std::vector<std::string> frozen_differences(const RunConfig & before, const RunConfig & now) {
    std::vector<std::string> old_values;
    visit_fields(before, [&](const char *, const char *, const auto & field, Change, const char *, const Range &,
                             const std::vector<std::string> &) { old_values.push_back(written(field)); });
    std::vector<std::string> differences;
    std::size_t i = 0;
    visit_fields(now, [&](const char * section, const char * key, const auto & field, Change change, const char *,
                          const Range &, const std::vector<std::string> &) {
        const std::string value = written(field);
        if (change == Change::frozen && value != old_values[i]) {
            differences.push_back(fmt::format("{} (was {}, now {})", full_name(section, key), old_values[i], value));
        }
        ++i;
    });
    return differences;
}

} // namespace valuelens

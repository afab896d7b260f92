#include "valuelens/run_config.h"

#include <toml++/toml.h>

#include <algorithm>
#include <functional>
#include <type_traits>

#include "base/fail.h"
#include "base/file.h"
#include "clients/http.h"
#include "pipeline/run_config_fields.h"

namespace valuelens {

namespace fs = std::filesystem;

namespace {

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
    for (std::string * file :
         {&config.concepts_file, &config.templates_file, &config.queries_file, &config.judge_file, &config.judge_check,
          &config.evaluate_questionnaire, &config.evaluate_portrait, &config.evaluate_instructions,
          &config.evaluate_queries, &config.written.dilemmas, &config.written.requests, &config.written.benign}) {
        resolve_path(*file, folder);
    }
    for (std::string * file : {&config.model, &config.judge_model, &config.judge_probe, &config.written.judge_model,
                               &config.written.embedding_model}) {
        if (file->find('/') != std::string::npos || file->ends_with(".gguf") || file->ends_with(".safetensors")) {
            resolve_path(*file, folder);
        }
    }
    if (config.evaluate_key.find('/') != std::string::npos || config.evaluate_key.ends_with(".toml")) {
        resolve_path(config.evaluate_key, folder);
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
    // An address is tried when its stage begins, which may be hours from now.
    const std::pair<const char *, const std::string *> addresses[] = {
        {"generate.url", &config.generate_server.url},
        {"judge.url", &config.judge_server.url},
        {"evaluate_written.url", &config.written.judge_server.url}};
    for (const auto & [key, url] : addresses) {
        if (!url->empty()) {
            parse_server_url(*url, (name.empty() ? "" : name + ": ") + key);
        }
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

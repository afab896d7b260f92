#include "judge/ask_prompt.h"

#include <nlohmann/json.hpp>
#include <toml++/toml.h>

#include <sstream>
#include <string_view>

#include "base/embedded.h"
#include "base/fail.h"
#include "base/file.h"

namespace valuelens {
namespace {

constexpr const char * shipped_file = "judge_prompts.toml";

toml::table parse(const std::string & text, const std::string & name) {
    try {
        return toml::parse(text, name);
    } catch (const toml::parse_error & error) {
        fail(ErrorKind::bad_input, "{}:{}: is not TOML ({})", name, error.source().begin.line, error.description());
    }
}

std::string text_of(const toml::table & table, const char * key, const std::string & name, const char * fallback) {
    const toml::node * node = table.get(key);
    if (node == nullptr && fallback != nullptr) {
        return fallback;
    }
    if (node == nullptr || !node->is_string() || node->value<std::string>()->empty()) {
        fail(ErrorKind::bad_input, "{}:{}: a judge prompt needs a text `{}`", name,
             (node == nullptr ? table.source() : node->source()).begin.line, key);
    }
    return *node->value<std::string>();
}

AskPrompt read_prompt(const toml::table & table, const std::string & name) {
    for (const auto & [key, node] : table) {
        static constexpr std::string_view known[] = {"name", "models", "user", "yes", "no", "quality"};
        if (std::find(std::begin(known), std::end(known), key.str()) == std::end(known)) {
            fail(ErrorKind::bad_input, "{}:{}: unknown key `{}`; a judge prompt has user, yes and no", name,
                 node.source().begin.line, key.str());
        }
    }
    AskPrompt prompt;
    prompt.name = text_of(table, "name", name, "prompt");
    prompt.user = text_of(table, "user", name, nullptr);
    prompt.yes = text_of(table, "yes", name, "Yes");
    prompt.no = text_of(table, "no", name, "No");
    const auto has = [&](const char * slot) {
        return prompt.user.find(slot) != std::string::npos;
    };
    if (!has("{text}") || !(has("{value}") || has("{definition}") || has("{short}"))) {
        fail(ErrorKind::usage, "{}: `user` needs the slot {{text}} and one of {{value}}, {{definition}} and {{short}}",
             name);
    }
    if (const toml::table * quality = table["quality"].as_table()) {
        std::ostringstream json;
        json << toml::json_formatter(*quality);
        prompt.quality = nlohmann::json::parse(json.str()).dump();
    }
    return prompt;
}

std::string replace_slot(std::string text, std::string_view slot, std::string_view filling) {
    std::size_t at = 0;
    while ((at = text.find(slot, at)) != std::string::npos) {
        text.replace(at, slot.size(), filling);
        at += filling.size();
    }
    return text;
}

} // namespace

std::string fill_prompt(const AskPrompt & prompt, const Concept & wanted, const std::string & text) {
    std::string user = replace_slot(prompt.user, "{value}", wanted.name);
    user = replace_slot(std::move(user), "{definition}", wanted.definition);
    user = replace_slot(std::move(user), "{short}", wanted.short_name);
    return replace_slot(std::move(user), "{text}", text); // last: the text may hold braces of its own
}

AskPrompt shipped_ask_prompt(const std::string & model_name) {
    const auto text = find_embedded(shipped_file);
    if (!text) {
        fail(ErrorKind::internal, "{} is not in this program", shipped_file);
    }
    const toml::table all = parse(std::string(*text), shipped_file);
    const toml::table * best = nullptr;
    for (const toml::node & node : *all["prompt"].as_array()) {
        const toml::table & table = *node.as_table();
        const toml::array * models = table["models"].as_array();
        if (models == nullptr) {
            best = best == nullptr ? &table : best; // the default names no model
            continue;
        }
        for (const toml::node & model : *models) {
            if (model.value<std::string>() == model_name) {
                return read_prompt(table, shipped_file);
            }
        }
    }
    return read_prompt(*best, shipped_file);
}

AskPrompt load_ask_prompt(const std::string & spec, const std::string & model_name) {
    if (spec == "auto") {
        return shipped_ask_prompt(model_name);
    }
    AskPrompt prompt = read_prompt(parse(read_file(spec), spec), spec);
    if (prompt.name == "prompt") {
        prompt.name = std::filesystem::path(spec).stem().string();
    }
    return prompt;
}

} // namespace valuelens

#include "concepts/dictionary.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/text.h"
#include "concepts/json_lines.h"
#include "concepts/text_lines.h"

namespace valuelens {

using nlohmann::json;

namespace {

std::vector<std::string> parse_words(const json & list, const std::string & where, std::size_t & blank) {
    if (!list.is_array()) {
        fail(ErrorKind::bad_input, "{}: is a JSON {}, expected an array of words", where, list.type_name());
    }
    std::vector<std::string> words;
    for (std::size_t i = 0; i < list.size(); ++i) {
        if (!list[i].is_string()) {
            fail(ErrorKind::bad_input, "{}: element {} is a JSON {}, expected a word", where, i, list[i].type_name());
        }
        const std::string_view word = trimmed(list[i].get_ref<const std::string &>());
        if (word.empty() || word == "*") {
            ++blank;
        } else {
            words.push_back(lower_latin1(std::string(word)));
        }
    }
    std::sort(words.begin(), words.end());
    words.erase(std::unique(words.begin(), words.end()), words.end());
    return words;
}

} // namespace

std::string lower_latin1(std::string text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        const auto byte = static_cast<unsigned char>(text[i]);
        const unsigned char before = i == 0 ? 0 : static_cast<unsigned char>(text[i - 1]);
        const bool latin_capital = before == 0xC3 && byte >= 0x80 && byte <= 0x9E && byte != 0x97;
        if ((byte >= 'A' && byte <= 'Z') || latin_capital) {
            text[i] = static_cast<char>(byte + 0x20);
        }
    }
    return text;
}

std::string folded_name(const std::string & name) {
    std::string text = lower_latin1(name);
    std::erase_if(text, [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x80 && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9');
    });
    return text;
}

ValueDictionary load_value_dictionary(const std::filesystem::path & path, const ConceptSet & concepts) {
    const std::string contents = read_file(path);
    const std::string_view text = without_byte_order_mark(contents);
    json document;
    try {
        document = json::parse(text);
    } catch (const json::parse_error & error) {
        fail(ErrorKind::bad_input, "{}: is not valid JSON ({})", path.string(),
             json_complaint(text, error.byte, error.what()));
    }
    if (!document.is_object()) {
        fail(ErrorKind::bad_input, R"({}: is a JSON {}, expected {{"<value>": ["word", ...], ...}})", path.string(),
             document.type_name());
    }
    ValueDictionary dictionary;
    dictionary.words.resize(concepts.concepts.size());
    std::vector<std::string> named(concepts.concepts.size());
    for (const auto & [name, list] : document.items()) {
        const std::string where = fmt::format("{}: \"{}\"", path.string(), name);
        std::vector<std::string> words = parse_words(list, where, dictionary.blank);
        const auto found = std::find_if(concepts.concepts.begin(), concepts.concepts.end(), [&](const Concept & c) {
            return folded_name(name) == folded_name(c.id) || folded_name(name) == folded_name(c.name);
        });
        if (found == concepts.concepts.end()) {
            dictionary.unmatched.push_back(name);
            continue;
        }
        const auto position = static_cast<std::size_t>(found - concepts.concepts.begin());
        if (!named[position].empty()) {
            fail(ErrorKind::bad_input, "{}: stands for {}, as \"{}\" does; keep one", where, found->id,
                 named[position]);
        }
        named[position] = name;
        dictionary.words[position] = std::move(words);
    }
    for (std::size_t i = 0; i < named.size(); ++i) {
        if (dictionary.words[i].empty()) {
            dictionary.missing.push_back(concepts.concepts[i].id);
        }
    }
    if (dictionary.missing.size() == named.size()) {
        fail(ErrorKind::bad_input, "{}: has no words for any concept of the set \"{}\"", path.string(), concepts.name);
    }
    return dictionary;
}

} // namespace valuelens

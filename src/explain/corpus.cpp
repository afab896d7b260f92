#include "explain/corpus.h"

#include <nlohmann/json.hpp>

#include "base/fail.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"
#include "base/utf8.h"
#include "concepts/json_lines.h"
#include "store/run_db.h"

namespace valuelens {

namespace {

constexpr const char * database_name = "run.sqlite";

void require_utf8(std::string_view text, const std::string & where) {
    if (!is_valid_utf8(text)) {
        fail(ErrorKind::bad_input, "{}: is not UTF-8; convert the file first", where);
    }
}

bool is_json_lines(const std::filesystem::path & file) {
    return file.extension() == ".jsonl" || file.extension() == ".ndjson";
}

std::size_t read_json_lines(const std::filesystem::path & file, const OnDocument & on_document) {
    std::size_t n = 0;
    for_each_line(file, [&](std::string_view line, std::size_t number) {
        if (is_blank(line)) {
            return;
        }
        const std::string where = fmt::format("{}:{}", file.string(), number);
        require_utf8(line, where);
        const auto object = nlohmann::json::parse(line, nullptr, /* allow_exceptions = */ false);
        if (!object.is_object()) {
            fail(ErrorKind::bad_input, "{}: is not a JSON object; expected {{\"text\"}} on each line", where);
        }
        const std::string text = JsonRecord{object, where, number, "{\"text\"}"}.text("text");
        if (!is_blank(text)) {
            ++n;
            on_document({text, where});
        }
    });
    return n;
}

std::size_t read_paragraphs(const std::filesystem::path & file, const OnDocument & on_document) {
    std::size_t n = 0;
    std::string paragraph;
    std::size_t begin = 0;
    const auto finish = [&] {
        if (!paragraph.empty()) {
            ++n;
            on_document({paragraph, fmt::format("{}:{}", file.string(), begin)});
            paragraph.clear();
        }
    };
    for_each_line(file, [&](std::string_view line, std::size_t number) {
        if (is_blank(line)) {
            finish();
            return;
        }
        require_utf8(line, fmt::format("{}:{}", file.string(), number));
        if (paragraph.empty()) {
            begin = number;
        } else {
            paragraph += '\n';
        }
        paragraph += line;
    });
    finish();
    return n;
}

} // namespace

void Corpus::for_each(const OnDocument & on_document) const {
    for (const std::filesystem::path & file : files) {
        const std::size_t n =
            is_json_lines(file) ? read_json_lines(file, on_document) : read_paragraphs(file, on_document);
        if (n == 0) {
            fail(ErrorKind::bad_input, "{}: holds no text; expected {}", file.string(),
                 is_json_lines(file) ? "JSON objects with \"text\", one a line"
                                     : "documents with blank lines between them");
        }
    }
    if (!run.empty()) {
        const RunDb db(run / database_name, RunDbMode::read_only);
        std::size_t n = 0;
        db.for_each_response(std::nullopt, [&](const ResponseRow & row) {
            if (!is_blank(row.text)) {
                ++n;
                on_document({row.text, row.id});
            }
        });
        if (n == 0) {
            fail(ErrorKind::bad_input, "{}: the run holds no responses yet; generate them, or name a --corpus",
                 run.string());
        }
    }
}

CorpusContents Corpus::contents() const {
    CorpusContents contents;
    Sha256 hash;
    for_each([&](const CorpusDocument & document) {
        hash.update(fmt::format("{}\n", document.text.size())); // so that no two lists of texts are the same bytes
        hash.update(document.text);
        ++contents.documents;
    });
    contents.identity = hash.hex();
    return contents;
}

} // namespace valuelens

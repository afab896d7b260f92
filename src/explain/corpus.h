#pragma once

#include <cstddef>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace valuelens {

/// A text of a corpus. The view holds until the callback returns.
struct CorpusDocument {
    std::string_view text;
    std::string where; ///< "file:12", or the id of a response
};

using OnDocument = std::function<void(const CorpusDocument &)>;

/// Texts to read, in a fixed order, streamed.
struct Corpus {
    std::vector<std::filesystem::path> files;
    std::filesystem::path run; ///< a run folder: its responses come after the files; may be empty

    /// A file whose name ends in .jsonl has one object with `text` on each line; in any other, documents are separated
    /// by blank lines. Blank documents are passed over. Throws Error(bad_input) with file:line for a line that is no
    /// such object, text that is not UTF-8, and a file without any document.
    void for_each(const OnDocument & on_document) const;

    /// A hash of everything that for_each() gives. Throws as it does where a file cannot be read.
    std::string identity() const;
};

} // namespace valuelens

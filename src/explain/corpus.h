#pragma once

#include <cstddef>
#include <cstdint>
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

/// What a corpus gives, all texts together.
struct CorpusContents {
    std::string identity; ///< hash of the texts
    std::uint64_t documents = 0;
};

/// Texts to read, in a fixed order, streamed.
struct Corpus {
    std::vector<std::filesystem::path> files;
    std::filesystem::path run; ///< a run folder: its responses come after the files; may be empty

    /// A file whose name ends in .jsonl has one object with `text` on each line; in any other, documents are separated
    /// by blank lines. Blank documents are passed over. Throws Error(bad_input) with file:line for a line that is no
    /// such object, text that is not UTF-8, and a file without any document.
    void for_each(const OnDocument & on_document) const;

    /// Reads them all, so that what is wrong with a corpus is said before a model works on it. Throws as for_each().
    CorpusContents contents() const;
};

} // namespace valuelens

#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace valuelens {

/// The text of a response as its tokens come: whole characters only, ending before the first stop string, of which no
/// part is ever given out.
class TextStream {
public:
    /// Empty stop strings are not allowed.
    explicit TextStream(std::vector<std::string> stops) : stops_(std::move(stops)) {}

    /// Takes the bytes of the next token. False: a stop string is complete, no more tokens are wanted.
    bool add(std::string_view bytes);

    /// The response is at its end: what was held back as the beginning of a stop string is text after all; a character
    /// cut off is dropped.
    void end();

    bool stopped() const { return stopped_; }
    /// What may be given out so far, since take() was called last.
    std::string take();
    /// The text that may be given out so far, from the beginning.
    std::string_view text() const { return std::string_view(text_).substr(0, released_); }

    /// Tokens whose text is given out by now: those before a stop string, and none that is held back.
    std::size_t tokens_out() const;
    /// Where the text of a token begins, in bytes.
    std::size_t token_begin(std::size_t i) const { return begins_[i]; }

private:
    void hold_back();

    std::vector<std::string> stops_;
    std::string tail_;                ///< the bytes of a character that is not complete
    std::string text_;                ///< well-formed
    std::vector<std::size_t> begins_; ///< of each token in text_
    std::size_t released_ = 0;        ///< of text_, what may be given out
    std::size_t taken_ = 0;
    bool stopped_ = false;
    bool ended_ = false;
};

} // namespace valuelens

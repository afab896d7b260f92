#include "serve/text_stream.h"

#include <algorithm>

#include "base/utf8.h"

namespace valuelens {
namespace {

/// Bytes at the end that begin a character and do not complete it.
std::size_t incomplete_tail(std::string_view bytes) {
    for (std::size_t back = 1; back <= std::min<std::size_t>(3, bytes.size()); ++back) {
        const auto byte = static_cast<unsigned char>(bytes[bytes.size() - back]);
        if ((byte & 0xC0) == 0x80) {
            continue; // goes on
        }
        const std::size_t length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
        return length > back ? back : 0;
    }
    return 0;
}

} // namespace

bool TextStream::add(std::string_view bytes) {
    if (stopped_ || ended_) {
        return false;
    }
    begins_.push_back(text_.size());
    tail_ += bytes;
    const std::size_t whole = tail_.size() - incomplete_tail(tail_);
    const std::size_t before = text_.size();
    text_ += to_valid_utf8(std::string_view(tail_).substr(0, whole));
    tail_.erase(0, whole);

    std::size_t cut = std::string::npos;
    for (const std::string & stop : stops_) {
        const std::size_t from = before - std::min(before, stop.size() - 1);
        cut = std::min(cut, text_.find(stop, from));
    }
    if (cut != std::string::npos) {
        text_.resize(cut);
        released_ = cut;
        stopped_ = true;
        return false;
    }
    hold_back();
    return true;
}

// The longest end of the text that may still become a stop string stays in.
void TextStream::hold_back() {
    std::size_t held = 0;
    for (const std::string & stop : stops_) {
        for (std::size_t n = std::min(stop.size() - 1, text_.size()); n > held; --n) {
            if (text_.compare(text_.size() - n, n, stop, 0, n) == 0) {
                held = n;
                break;
            }
        }
    }
    released_ = std::max(released_, text_.size() - held);
}

void TextStream::end() {
    ended_ = true;
    tail_.clear();
    if (!stopped_) {
        released_ = text_.size();
    }
}

std::string TextStream::take() {
    std::string piece = text_.substr(taken_, released_ - taken_);
    taken_ = released_;
    return piece;
}

std::size_t TextStream::tokens_out() const {
    const bool complete = stopped_ || ended_;
    std::size_t n = 0;
    for (std::size_t i = 0; i < begins_.size(); ++i) {
        const std::size_t end = i + 1 < begins_.size() ? begins_[i + 1] : text_.size();
        const bool out = complete ? begins_[i] < released_ || (!stopped_ && ended_) : end <= released_ && tail_.empty();
        n = out ? i + 1 : n;
    }
    return n;
}

} // namespace valuelens

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "engine/slots.h"
#include "valuelens/request.h"

namespace valuelens {

/// Tokens that lie in the cache of a sequence, and how they were put there.
struct CachedTokens {
    std::vector<Token> tokens;
    std::size_t n_prompt = 0; ///< so many of them were a prompt, the others a response
    std::shared_ptr<const Intervention> intervention;
};

/// What a slot has in its cache.
CachedTokens cached_tokens(const Slot & slot);

/// How many tokens of the request's prompt need not be decoded where `cached` lies in the cache; the prompt's last
/// token always must. A response that was steered otherwise than a prompt would be is no prompt of the next turn.
std::size_t usable_prefix(const CachedTokens & cached, const Request & request);

/// Where a request begins.
struct StartPlan {
    std::size_t place = 0;
    std::size_t length = 0;               ///< tokens that need not be decoded
    std::optional<std::size_t> copy_from; ///< they lie in this place; nothing: in `place` itself
};

/// The caches of free places, kept for requests that go on where an earlier one ended.
class KeptPrefixes {
public:
    /// `may_reuse`: the model's state can be cut back and copied (a recurrent one's cannot).
    KeptPrefixes(std::size_t n_places, bool may_reuse) : kept_(n_places), may_reuse_(may_reuse) {}

    bool may_reuse() const { return may_reuse_; }

    void keep(std::size_t place, CachedTokens tokens);
    void forget(std::size_t place) { kept_[place].reset(); }
    void forget_all();

    /// Where to begin the request; nothing where no place is free, or where it pays to wait for a neighbour that is
    /// just reading the same prompt.
    std::optional<StartPlan> plan(const Request & request, const std::vector<std::optional<Slot>> & slots) const;

private:
    struct Kept {
        CachedTokens cached;
        std::uint64_t since = 0;
    };
    std::optional<std::size_t> free_place(const std::vector<std::optional<Slot>> & slots) const;

    std::vector<std::optional<Kept>> kept_;
    bool may_reuse_;
    std::uint64_t clock_ = 0;
};

} // namespace valuelens

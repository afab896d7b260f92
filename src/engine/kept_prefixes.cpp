#include "engine/kept_prefixes.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "engine/prefix_groups.h"

namespace valuelens {
namespace {

// A copied stream costs about what a few tokens' decoding costs; going on in the same place costs nothing.
constexpr std::size_t worth_copying = 24;
constexpr std::size_t worth_keeping = 4;
// Places in flight should lie close together, since a batch takes neighbours: a free place is looked for up to so far
// beyond the last one in use.
constexpr std::size_t spread = 4;

/// Whether a response token is changed as a prompt token would be.
bool is_uniform(const Intervention * intervention) {
    return intervention == nullptr ||
           std::all_of(intervention->directions.begin(), intervention->directions.end(),
                       [](const LayerDirection & direction) { return direction.tokens == TokenScope::all; });
}

} // namespace

CachedTokens cached_tokens(const Slot & slot) {
    CachedTokens cached;
    cached.tokens.reserve(slot.fed());
    for (std::size_t i = 0; i < slot.fed(); ++i) {
        cached.tokens.push_back(slot.token_at(i));
    }
    cached.n_prompt = std::min(slot.fed(), slot.request().prompt.size());
    cached.intervention = slot.request().intervention;
    return cached;
}

std::size_t usable_prefix(const CachedTokens & cached, const Request & request) {
    const Intervention * before = cached.intervention.get();
    const Intervention * now = request.intervention.get();
    if (request.prompt.empty() || !share_prompts(before, now)) {
        return 0;
    }
    const std::size_t usable = before == now && is_uniform(before) ? cached.tokens.size() : cached.n_prompt;
    const std::size_t limit = std::min(usable, request.prompt.size() - 1);
    const auto end = request.prompt.begin() + static_cast<std::ptrdiff_t>(limit);
    return static_cast<std::size_t>(std::mismatch(request.prompt.begin(), end, cached.tokens.begin()).first -
                                    request.prompt.begin());
}

void KeptPrefixes::keep(std::size_t place, CachedTokens tokens) {
    kept_[place] = Kept{std::move(tokens), ++clock_};
}

void KeptPrefixes::forget_all() {
    for (auto & kept : kept_) {
        kept.reset();
    }
}

std::optional<std::size_t> KeptPrefixes::free_place(const std::vector<std::optional<Slot>> & slots) const {
    std::size_t end = 0;
    for (std::size_t i = 0; i < slots.size(); ++i) {
        end = slots[i] ? i + 1 : end;
    }
    std::optional<std::size_t> best;
    const auto age = [&](std::size_t place) {
        return kept_[place] ? kept_[place]->since : 0;
    };
    for (std::size_t i = 0; i < std::min(slots.size(), end + spread); ++i) {
        if (!slots[i] && (!best || age(i) < age(*best))) {
            best = i;
        }
    }
    return best;
}

std::optional<StartPlan> KeptPrefixes::plan(const Request & request,
                                            const std::vector<std::optional<Slot>> & slots) const {
    const std::optional<std::size_t> free = free_place(slots);
    if (!free) {
        return std::nullopt;
    }
    if (!may_reuse_) {
        return StartPlan{*free, 0, std::nullopt};
    }
    StartPlan here{*free, 0, std::nullopt};
    StartPlan copied{*free, 0, std::nullopt};
    std::size_t coming = 0;
    for (std::size_t i = 0; i < slots.size(); ++i) {
        if (slots[i]) {
            const std::size_t length = usable_prefix(cached_tokens(*slots[i]), request);
            if (length > copied.length) {
                copied = {*free, length, i};
            }
            if (slots[i]->reading_prompt()) {
                const Request & other = slots[i]->request();
                coming =
                    std::max(coming, usable_prefix({other.prompt, other.prompt.size(), other.intervention}, request));
            }
        } else if (kept_[i]) {
            const std::size_t length = usable_prefix(kept_[i]->cached, request);
            if (length > here.length) {
                here = {i, length, std::nullopt};
            }
        }
    }
    if (coming >= std::max(here.length, copied.length) + worth_copying) {
        return std::nullopt;
    }
    if (copied.length >= here.length + worth_copying) {
        return copied;
    }
    return here.length >= worth_keeping ? here : StartPlan{*free, 0, std::nullopt};
}

} // namespace valuelens

#include "engine/prefix_groups.h"

#include <algorithm>

namespace valuelens {
namespace {

Token token_at(const Request & request, std::size_t i) {
    return i < request.prompt.size() ? request.prompt[i] : request.response[i - request.prompt.size()];
}

// Rows from here on are read by the request itself, so it must decode them.
std::size_t sharable_length(const Request & request) {
    if (request.kind != RequestKind::continue_ || request.logprobs ||
        (request.capture.projector != nullptr && !request.prompt.empty())) {
        return request.prompt.size() - 1;
    }
    // Where something is done to the model, a response token is not what it is for a neighbour.
    if (request.capture.any_resid() || request.capture.mlp_post || request.capture.projector != nullptr ||
        request.intervention != nullptr) {
        return request.prompt.size();
    }
    return request.prompt.size() + request.response.size() - 1;
}

bool touches_prompt(const Intervention * intervention) {
    if (intervention == nullptr) {
        return false;
    }
    return !intervention->neurons.empty() ||
           std::any_of(intervention->directions.begin(), intervention->directions.end(),
                       [](const LayerDirection & direction) { return direction.tokens != TokenScope::response; });
}

bool may_share(const Request & a, const Request & b) {
    return share_prompts(a.intervention.get(), b.intervention.get());
}

std::size_t common_beginning(const Request & a, const Request & b) {
    const std::size_t limit = std::min(sharable_length(a), sharable_length(b));
    std::size_t common = 0;
    while (common < limit && token_at(a, common) == token_at(b, common)) {
        ++common;
    }
    return common;
}

} // namespace

bool share_prompts(const Intervention * a, const Intervention * b) {
    return a == b || (!touches_prompt(a) && !touches_prompt(b));
}

std::vector<PrefixPlan> plan_prefixes(std::span<const Request> requests, std::span<const std::size_t> order,
                                      std::size_t minimum) {
    std::vector<PrefixPlan> plans(requests.size());
    std::size_t group = 0;
    for (std::size_t first = 0; first < order.size(); ++group) {
        const Request & leader = requests[order[first]];
        std::size_t shared = sharable_length(leader);
        std::size_t last = first + 1;
        for (; last < order.size(); ++last) {
            const Request & member = requests[order[last]];
            if (!may_share(leader, member)) {
                break;
            }
            const std::size_t common = std::min(shared, common_beginning(leader, member));
            // A newcomer that would cost the others most of what they share starts a group of its own; so does one that
            // has far more in common with those that follow it.
            if (common < minimum || (last > first + 1 && 2 * common < shared)) {
                break;
            }
            if (last + 1 < order.size()) {
                const Request & next = requests[order[last + 1]];
                if (may_share(member, next) && common_beginning(member, next) > 2 * common) {
                    break;
                }
            }
            shared = common;
        }
        const std::size_t size = last - first;
        for (std::size_t i = first; i < last; ++i) {
            plans[order[i]] = {group, size > 1 ? shared : 0, size};
        }
        first = last;
    }
    return plans;
}

} // namespace valuelens

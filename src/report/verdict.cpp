#include "report/verdict.h"

#include <fmt/format.h>

namespace valuelens {

namespace {

bool most(std::size_t n, std::size_t of) {
    return n * 10 >= of * 8;
}

} // namespace

std::string interval_text(const Estimate & e) {
    if (std::isnan(e.low)) {
        return fmt::format("{:.2f}", e.value);
    }
    return fmt::format("{:.2f} [{:.2f}, {:.2f}]", e.value, e.low, e.high);
}

Json finding(const char * id, const char * section, const char * question, const char * verdict, std::string answer,
             const char * rule) {
    return {{"id", id},           {"section", section},          {"question", question},
            {"verdict", verdict}, {"answer", std::move(answer)}, {"rule", rule}};
}

const char * share_verdict(std::size_t n, std::size_t measured, std::size_t of) {
    return measured == 0 ? verdict::not_measured
           : most(n, of) ? verdict::clear
           : n > 0       ? verdict::partly
                         : verdict::not_shown;
}

const char * capped(const char * verdict, std::size_t measured, std::size_t of) {
    return std::string_view(verdict) == verdict::clear && !most(measured, of) ? verdict::partly : verdict;
}

} // namespace valuelens

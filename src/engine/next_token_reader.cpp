#include "engine/next_token_reader.h"

#include <algorithm>

#include "base/fail.h"
#include "engine/sampler.h"
#include "engine/session.h"
#include "engine/session_plan.h"

namespace valuelens {

struct NextTokenReader::Impl {
    std::shared_ptr<Model> model;
    SchedulerOptions options;
    std::unique_ptr<Session> session;

    Session & session_for(std::size_t length) {
        if (length > static_cast<std::size_t>(context_limit(*model, options))) {
            fail(ErrorKind::model, "{}: a text of {} tokens does not fit the context; raise --ctx-size",
                 model->info().path, length);
        }
        const SessionOptions wanted = plan_session(*model, options, length, 1, /* unified = */ false);
        if (!session || session->options() != wanted) {
            session.reset(); // free the old cache before the new one is made
            session = std::make_unique<Session>(model, wanted);
        }
        session->clear();
        return *session;
    }
};

NextTokenReader::NextTokenReader(std::shared_ptr<Model> model, const SchedulerOptions & options)
    : impl_(new Impl{std::move(model), options, nullptr}) {
    impl_->options.parallel = 1;
}

NextTokenReader::~NextTokenReader() = default;

std::vector<std::vector<float>> NextTokenReader::read(std::span<const Token> tokens,
                                                      std::span<const std::size_t> places,
                                                      std::span<const Token> candidates, std::stop_token stop) {
    Session & session = impl_->session_for(tokens.size());
    const auto most_rows = static_cast<std::size_t>(session.options().batch_size);
    const auto most_outputs = static_cast<std::size_t>(session.options().max_outputs);
    std::vector<std::vector<float>> found;
    std::vector<BatchRow> rows;
    std::size_t at = 0;   // next token
    std::size_t next = 0; // next place
    while (at < tokens.size() && next < places.size()) {
        rows.clear();
        std::vector<std::size_t> outputs; // rows with logits
        while (at < tokens.size() && rows.size() < most_rows && outputs.size() < most_outputs) {
            BatchRow row;
            row.token = tokens[at];
            row.position = static_cast<std::int32_t>(at);
            if (next + outputs.size() < places.size() && places[next + outputs.size()] == at) {
                row.output = true;
                row.needs_logits = true;
                outputs.push_back(rows.size());
            }
            rows.push_back(row);
            ++at;
        }
        session.decode(rows, -1, stop);
        for (const std::size_t row : outputs) {
            const std::span<const float> logits = session.logits(row);
            const double total = log_sum_exp(logits);
            std::vector<float> & logprobs = found.emplace_back();
            for (const Token candidate : candidates) {
                logprobs.push_back(
                    static_cast<float>(static_cast<double>(logits[static_cast<std::size_t>(candidate)]) - total));
            }
        }
        next += outputs.size();
    }
    return found;
}

} // namespace valuelens

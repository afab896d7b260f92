#include "engine/chat_template.h"

#include <chat.h>

#include <ctime>

#include "base/fail.h"

namespace valuelens {

struct ChatTemplate::Impl {
    common_chat_template program;
    common_json kwargs;
    std::time_t date = 0;
    bool knows_thinking = false;
};

namespace {

std::time_t parse_date(const std::string & date) {
    std::tm parts{};
    const char * end = strptime(date.c_str(), "%Y-%m-%d", &parts);
    if (end == nullptr || *end != '\0') {
        fail(ErrorKind::usage, "--date '{}': expected YYYY-MM-DD, for example 2024-07-26", date);
    }
    parts.tm_hour = 12; // noon: the same day in every time zone that strftime_now may use
    parts.tm_isdst = -1;
    return std::mktime(&parts);
}

} // namespace

ChatTemplate::ChatTemplate(const std::string & source, const std::string & bos, const std::string & eos,
                           const std::string & kwargs, const std::string & date) {
    common_json arguments = common_json::object();
    if (!kwargs.empty()) {
        try {
            arguments = common_json::parse(kwargs);
        } catch (const std::exception &) {
            fail(ErrorKind::usage,
                 "--chat-template-kwargs '{}': expected a JSON object, for example {{\"enable_thinking\": false}}",
                 kwargs);
        }
        if (!arguments.is_object()) {
            fail(ErrorKind::usage, "--chat-template-kwargs '{}': expected a JSON object", kwargs);
        }
    }
    const std::time_t day = parse_date(date);
    try {
        impl_.reset(new Impl{common_chat_template(source, bos, eos), std::move(arguments), day,
                             source.find("enable_thinking") != std::string::npos});
    } catch (const std::exception & error) {
        fail(ErrorKind::usage, "the chat template cannot be parsed ({}); give another with --chat-template",
             error.what());
    }

    // Ask the template itself whether it has a system role: some raise an error, some drop the text.
    static const std::string marker = "qzsystemqz";
    try {
        has_system_role_ = apply(marker, "user").find(marker) != std::string::npos;
    } catch (const std::exception &) {
        has_system_role_ = false;
    }
    try {
        if (apply(std::nullopt, marker).find(marker) == std::string::npos) {
            throw std::runtime_error("the user's text does not appear in what it renders");
        }
    } catch (const std::exception & error) {
        fail(ErrorKind::usage, "the chat template cannot be used ({}); give another with --chat-template",
             error.what());
    }
}

ChatTemplate::~ChatTemplate() = default;

std::string ChatTemplate::apply(const std::optional<std::string> & system, const std::string & user) const {
    common_json messages = common_json::array();
    const auto add = [&messages](const char * role, const std::string & content) {
        common_json message = common_json::object();
        message["role"] = role;
        message["content"] = content;
        messages.push_back(message);
    };
    if (system) {
        add("system", *system);
    }
    add("user", user);

    common_json input = common_json::object();
    input["messages"] = messages;
    input["bos_token"] = impl_->program.bos_token();
    input["eos_token"] = impl_->program.eos_token();
    input["add_generation_prompt"] = true;
    if (impl_->knows_thinking) {
        input["enable_thinking"] = false; // off where the template knows it, unless asked for
    }
    for (const auto & [key, value] : impl_->kwargs.items()) {
        input[key] = value;
    }
    jinja::context context(impl_->program.source());
    context.current_time = impl_->date;
    jinja::global_from_json(context, input, /* mark_input = */ false);
    jinja::runtime runtime(context);
    const jinja::value results = runtime.execute(impl_->program.prog);
    return jinja::runtime::gather_string_parts(results)->as_string().str();
}

ChatTemplate::Rendered ChatTemplate::render(const std::optional<std::string> & system, const std::string & user) const {
    try {
        if (!system || has_system_role_) {
            return {apply(system, user), false};
        }
        return {apply(std::nullopt, system->empty() ? user : *system + "\n\n" + user), true};
    } catch (const std::exception & error) {
        fail(ErrorKind::usage, "the chat template failed on a message ({}); give another with --chat-template",
             error.what());
    }
}

} // namespace valuelens

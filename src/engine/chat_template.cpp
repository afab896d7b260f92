#include "engine/chat_template.h"

#include <chat.h>

#include <algorithm>
#include <ctime>
#include <vector>

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
        const std::vector<ChatMessage> probe = {{"system", marker}, {"user", "user"}};
        has_system_role_ = apply(probe).find(marker) != std::string::npos;
    } catch (const std::exception &) {
        has_system_role_ = false;
    }
    try {
        const std::vector<ChatMessage> probe = {{"user", marker}};
        if (apply(probe).find(marker) == std::string::npos) {
            throw std::runtime_error("the user's text does not appear in what it renders");
        }
    } catch (const std::exception & error) {
        fail(ErrorKind::usage, "the chat template cannot be used ({}); give another with --chat-template",
             error.what());
    }
}

ChatTemplate::~ChatTemplate() = default;

std::string ChatTemplate::apply(std::span<const ChatMessage> given) const {
    common_json messages = common_json::array();
    for (const ChatMessage & message : given) {
        common_json entry = common_json::object();
        entry["role"] = message.role;
        entry["content"] = message.content;
        messages.push_back(entry);
    }

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
    std::vector<ChatMessage> messages;
    if (system) {
        messages.push_back({"system", *system});
    }
    messages.push_back({"user", user});
    return render(messages);
}

ChatTemplate::Rendered ChatTemplate::render(std::span<const ChatMessage> messages) const {
    try {
        if (has_system_role_ || messages.empty() || messages.front().role != "system") {
            return {apply(messages), false};
        }
        std::vector<ChatMessage> merged(messages.begin() + 1, messages.end());
        const auto user = std::find_if(merged.begin(), merged.end(),
                                       [](const ChatMessage & message) { return message.role == "user"; });
        if (user == merged.end()) {
            throw std::runtime_error("it has no system role, and there is no user's message to put the text before");
        }
        const std::string & system = messages.front().content;
        user->content = system.empty() ? user->content : system + "\n\n" + user->content;
        return {apply(merged), true};
    } catch (const std::exception & error) {
        fail(ErrorKind::usage, "the chat template failed on a message ({}); give another with --chat-template",
             error.what());
    }
}

} // namespace valuelens

#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "valuelens/model.h"

struct llama_model;

namespace valuelens {

/// A model's own Jinja chat template, rendered by llama.cpp's engine.
class ChatTemplate {
public:
    /// `source`: Jinja text. `kwargs`: a JSON object of further template variables, may be empty. `date`: YYYY-MM-DD,
    /// what strftime_now() is given. Throws Error(usage) for a template or arguments that cannot be parsed.
    ChatTemplate(const std::string & source, const std::string & bos, const std::string & eos,
                 const std::string & kwargs, const std::string & date);
    ~ChatTemplate();

    struct Rendered {
        std::string text;
        bool system_merged = false;
    };

    /// Text with the assistant's header last. A template without a system role gets a leading system text before that
    /// of the first user's message, a blank line between; an empty system message then adds nothing. Throws
    /// Error(usage) where the template fails on the messages.
    Rendered render(std::span<const ChatMessage> messages) const;
    /// The same for one question; an engaged but empty `system` is an explicit empty message.
    Rendered render(const std::optional<std::string> & system, const std::string & user) const;

    bool has_system_role() const { return has_system_role_; }

private:
    std::string apply(std::span<const ChatMessage> messages) const;

    struct Impl;
    std::unique_ptr<Impl> impl_;
    bool has_system_role_ = true;
};

} // namespace valuelens

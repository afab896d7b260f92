#pragma once

#include <memory>
#include <optional>
#include <string>

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

    /// Text with the assistant's header last. A template without a system role gets the system text before the
    /// user's, a blank line between; an empty system message then adds nothing.
    Rendered render(const std::optional<std::string> & system, const std::string & user) const;

    bool has_system_role() const { return has_system_role_; }

private:
    std::string apply(const std::optional<std::string> & system, const std::string & user) const;

    struct Impl;
    std::unique_ptr<Impl> impl_;
    bool has_system_role_ = true;
};

} // namespace valuelens

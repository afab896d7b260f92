#pragma once

#include <memory>

#include "clients/service.h"
#include "valuelens/model.h"
#include "valuelens/request.h"

namespace valuelens {

/// A model on this machine that answers chats as a server would. A model without a chat template reads the last message
/// as plain text. A chat that does not fit the context is rejected. What a list of requests yields depends on the list
/// alone. Throws Error(model), Error(interrupted).
std::unique_ptr<ChatService> make_local_chat(std::shared_ptr<Model> model, const SchedulerOptions & options);

} // namespace valuelens

-- Webhooks whose time has come and whose message is lost, or was never sent. Each is named once in a while.
-- ARGV: how many at most, ms until one is named again.  Returns: job ids
local most, again = unpack(ARGV)
even_if_memory_is_full()
local kind = redis.call('TYPE', WEBHOOK_QUEUE).ok
if kind ~= 'list' and kind ~= 'none' then set_key_aside(WEBHOOK_QUEUE) end
local found = on('ZRANGEBYSCORE', WEBHOOKS, '-inf', now_ms(), 'LIMIT', 0, most)
for _, id in ipairs(found) do on('ZADD', WEBHOOKS, now_ms() + again, id) end
return found

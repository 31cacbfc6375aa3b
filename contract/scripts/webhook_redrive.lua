-- An operator has a webhook tried anew that was given up, as if its job had just ended.
-- ARGV: job id.  Returns 1 if it was a dead letter.
local id = ARGV[1]
even_if_memory_is_full()
local key, now = webhook(id), now_ms()
local was_dead = on('ZREM', DEAD_WEBHOOKS, id) == 1
local signer, address = unpack(redis.call('HMGET', key, 'signer', 'address'))
if not (was_dead and signer and address) then return 0 end
redis.call('HSET', key, 'since', now, 'due', now, 'attempts', 0)
redis.call('PERSIST', key)
on('ZADD', webhooks_of(signer), 0, id)
on('ZADD', WEBHOOKS, now, id)
return 1

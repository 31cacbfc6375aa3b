-- A worker stops sweeping.
-- ARGV: model, worker
local model, worker = unpack(ARGV)
local lock = 'retort:sweeper:' .. model
if on('GET', lock) == worker then redis.call('DEL', lock) end

-- Adds what enforcement points saw, all of a batch or nothing of it, and only once.
--
-- KEYS  1 mark of the batch, then the <key> of each row below
-- ARGV  1 how long the mark is kept, 2 how long the rest is kept after its last change, 3 names of
--       one grant at most, 4 points of one resource at most, 5 lives of one resource at most,
--       6 silence that ends a life, then the sections below, each a count followed by that many
--       rows; times and lengths are in ms
--   tallies  <use of a grant> "seen|name" count first last
--   beats    <lives of a resource> <points of it> point at
-- Returns 1; 0 when the batch was added before.

local call = redis.call
local keys_read, args_read = 1, 6
local function key() keys_read = keys_read + 1 return KEYS[keys_read] end
local function arg() args_read = args_read + 1 return ARGV[args_read] end
local function rows(each) for _ = 1, tonumber(arg()) do each(key()) end end
local function whole(number) return string.format('%.0f', number) end

if not call('SET', KEYS[1], '1', 'NX', 'PX', ARGV[1]) then return 0 end
local kept, silence = ARGV[2], tonumber(ARGV[6])

rows(function(use)
  local field = arg()
  local count, first, last = tonumber(arg()), tonumber(arg()), tonumber(arg())
  local old = call('HGET', use, field)
  if old then
    local before, begun, ended = string.match(old, '^(%d+)|(%d+)|(%d+)$')
    count = count + tonumber(before)
    first, last = math.min(first, tonumber(begun)), math.max(last, tonumber(ended))
  elseif string.sub(field, 1, 8) ~= 'allowed|' and call('HLEN', use) >= tonumber(ARGV[3]) then
    return
  end
  call('HSET', use, field, whole(count) .. '|' .. whole(first) .. '|' .. whole(last))
  call('PEXPIRE', use, kept)
end)

-- A life is a member "begun|point" whose score is its last beat; `points` knows the newest of each.
rows(function(lives)
  local points, point, at = key(), arg(), tonumber(arg())
  local begun = call('HGET', points, point)
  if not begun and call('HLEN', points) >= tonumber(ARGV[4]) then return end
  local last = begun and call('ZSCORE', lives, begun .. '|' .. point)
  if not last or at - tonumber(last) > silence then
    begun = whole(at)
    call('HSET', points, point, begun)
  end
  if not last or at > tonumber(last) then call('ZADD', lives, whole(at), begun .. '|' .. point) end
  call('ZREMRANGEBYSCORE', lives, '-inf', '(' .. whole(at - tonumber(kept)))
  call('ZREMRANGEBYRANK', lives, 0, -1 - tonumber(ARGV[5]))
  call('PEXPIRE', lives, kept)
  call('PEXPIRE', points, kept)
end)
return 1

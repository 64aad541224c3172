/* What the sections of layout.h mean: rules, rows, recipes and data as the kernel takes them, each in a block of its
 * own. layout.py is the twin.
 */

enum { MOST_ROWS = 8, MOST_RECIPES = 2 };

/* The rest of an input. */
struct input {
    const uint8_t *at;
    size_t left;
};

static uint64_t read_bits(struct input *in, unsigned bits)
{
    uint64_t value = 0;
    for (unsigned shift = 0; shift < bits && in->left; shift += 8, in->left--)
        value |= (uint64_t)*in->at++ << shift;
    return value;
}

/* A struct for each section, and a function that reads it. */
#define DECLARE(bits, name) uint##bits##_t name;
#define READ(bits, name) section.name = (uint##bits##_t)read_bits(in, bits);
#define SECTION(type, FIELDS)                         \
    struct type {                                     \
        FIELDS(DECLARE)                               \
    };                                                \
    static struct type read_##type(struct input *in)  \
    {                                                 \
        struct type section;                          \
        FIELDS(READ)                                  \
        return section;                               \
    }

SECTION(head, HEAD)
SECTION(row, ROW)
SECTION(rules, RULES)
SECTION(underlay, UNDERLAY)
SECTION(walk_section, WALK)
SECTION(recipe, RECIPE)
SECTION(group_section, GROUP)
SECTION(records_section, RECORDS)
SECTION(interface_section, INTERFACE)

/* The frame data behind the sections. */
static struct block take_data(const struct input *in) { return copy_of(in->at, in->left); }

/* How many bytes a capture may have cut off this many: with them the length is still one of 32 bits. */
static uint64_t missing_bytes(const struct head *head, uint64_t size)
{
    return head->number < UINT32_MAX - size ? head->number : UINT32_MAX - size;
}

/* A batch and the tunnel that each row chooses, as the kernel gets them: in blocks that end with the last item, and
 * may begin at an odd address. `frames` and `index` are the same for the checks. */
struct batch {
    struct vxlanpkt_frames given, frames;
    const uint32_t *given_index, *index;
    uint64_t drawn; /* so many rows are different; further ones repeat them */
};

static const void *give(const void *items, uint64_t size, bool unaligned)
{
    uint8_t *copy = new_block(size + unaligned).data + unaligned;
    if (size)
        memcpy(copy, items, size);
    return copy;
}

static uint64_t row_offset(const struct row *row, uint64_t before, uint64_t size)
{
    const uint64_t from[4] = {0, before, size, (uint64_t)1 << 63};
    return from[row->offset_from % 4] + (uint64_t)(int16_t)row->offset;
}

static uint32_t row_length(const struct row *row, uint64_t offset, uint64_t size)
{
    switch (row->length_as % 3) {
    case 0: return (uint32_t)(size - offset + (uint64_t)(int16_t)row->length);
    case 1: return row->length;
    default: return UINT32_MAX - row->length;
    }
}

static struct batch read_batch(struct input *in, const struct head *head)
{
    struct row drawn[MOST_ROWS] = {{.original = 0}};
    uint64_t count = head->rows ? (head->rows - 1u) % (MOST_ROWS + 1) : 1;
    uint64_t rows = head->options & OPTION_MANY && count ? count * (1 + ENOUGH / count) : count;
    bool has_originals = head->options & OPTION_ORIGINALS, unaligned = head->options & OPTION_UNALIGNED;
    for (uint64_t row = 0; head->rows && row < count; row++)
        drawn[row] = read_row(in);
    struct block data = take_data(in);
    uint64_t *offsets = new_items(rows, 8), before = 0;
    uint32_t *lengths = new_items(rows, 4), *originals = new_items(rows, 4), *index = new_items(rows, 4);
    for (uint64_t row = 0; row < rows; row++) {
        const struct row *from = drawn + row % count;
        offsets[row] = row < count ? row_offset(from, before, data.size) : offsets[row - count];
        lengths[row] = row < count ? row_length(from, offsets[row], data.size) : lengths[row - count];
        originals[row] = (uint32_t)(lengths[row] + (int64_t)(int16_t)from->original);
        index[row] = from->index == 255 ? VXLANPKT_NO_TUNNEL : from->index;
        before = offsets[row] + lengths[row];
    }
    struct batch batch = {.index = index, .given_index = give(index, 4 * rows, unaligned), .drawn = count};
    batch.frames = (struct vxlanpkt_frames){data.data, data.size, offsets, lengths, NULL, rows};
    batch.given = batch.frames;
    batch.given.offsets = give(offsets, 8 * rows, unaligned);
    batch.given.lengths = give(lengths, 4 * rows, unaligned);
    if (has_originals) {
        batch.frames.original_lengths = originals;
        batch.given.original_lengths = give(originals, 4 * rows, unaligned);
    }
    return batch;
}

/* Whether a row lies in the buffer. */
static bool is_inside(const struct vxlanpkt_frames *frames, uint64_t row)
{
    return frames->offsets[row] <= frames->size && frames->lengths[row] <= frames->size - frames->offsets[row];
}

static void add_port(struct vxlanpkt_rules *rules, uint32_t port)
{
    rules->ports[port >> 3] |= (uint8_t)(1u << (port & 7));
}

/* A prefix of so many bits, IPv4 in its mapped form. */
static struct vxlanpkt_prefix make_prefix(uint8_t version, unsigned bits, uint64_t network)
{
    struct vxlanpkt_prefix prefix = {.version = version};
    unsigned first = version == 4 ? 96 : 0;
    for (unsigned bit = 0; bit < 128; bit++)
        if (bit < first + bits)
            prefix.mask[bit / 8] |= (uint8_t)(0x80u >> bit % 8);
    for (unsigned at = 0; at < 16; at++) {
        uint8_t byte = (uint8_t)(network >> (at % 8 * 8));
        if (version == 4)
            byte = at < 10 ? 0 : at < 12 ? 0xFF : (uint8_t)(network >> ((at - 12) * 8));
        prefix.network[at] = byte & prefix.mask[at];
    }
    return prefix;
}

static struct vxlanpkt_rules *make_rules(const struct rules *drawn)
{
    struct vxlanpkt_rules *rules = new_items(1, sizeof *rules);
    memset(rules, 0, sizeof *rules);
#define SWITCH(bit, name) rules->name = drawn->switches >> bit & 1;
    SWITCHES(SWITCH)
#undef SWITCH
#define HIGH(bit, name) rules->name = (uint8_t)(rules->name | (drawn->switches >> bit & 1) << 1);
    OF_THREE(HIGH)
    OF_FOUR(HIGH)
#undef HIGH
#define BELOW_3(bit, name) rules->name %= 3;
    OF_THREE(BELOW_3)
#undef BELOW_3
    rules->inner_vlan = drawn->inner_vlan % 3;
    rules->ecn = drawn->ecn % 4;
    rules->lengths = drawn->lengths % 3;
    rules->reserved_mask = drawn->reserved_mask;
    add_port(rules, 4789);
    add_port(rules, 8472);
    add_port(rules, 4790);
    add_port(rules, drawn->port);
    rules->usual_port = drawn->port < 4789 ? drawn->port : 4789;
    uint32_t vnis[2] = {drawn->vni & 0xFFFFFF, drawn->other_vni & 0xFFFFFF};
    if (drawn->vnis % 4 == 3 && vnis[1] < vnis[0]) { /* they stand in ascending order */
        vnis[0] = drawn->other_vni & 0xFFFFFF;
        vnis[1] = drawn->vni & 0xFFFFFF;
    }
    rules->vni_count = drawn->vnis % 4 - 1;
    rules->vnis = copy_items(vnis, rules->vni_count > 0 ? (uint64_t)rules->vni_count : 0, sizeof *vnis);
    uint8_t version = drawn->sources % 4 == 2 ? 4 : 6;
    struct vxlanpkt_prefix prefix = make_prefix(version, drawn->prefix % (version == 4 ? 33u : 129u), drawn->network);
    rules->source_count = drawn->sources % 4 ? drawn->sources % 4 > 1 : -1;
    rules->sources = copy_items(&prefix, rules->source_count > 0, sizeof prefix);
    uint64_t mac = drawn->own_mac & 0xFFFFFFFFFFFF;
    rules->own_mac_count = drawn->own_macs % 2;
    rules->own_macs = copy_items(&mac, rules->own_mac_count, sizeof mac);
    return rules;
}

static struct vxlanpkt_underlay make_underlay(const struct underlay *drawn)
{
    static const uint8_t versions[3] = {0, 4, 6};
    struct vxlanpkt_underlay underlay = {versions[drawn->version % 3], {0}, drawn->tos > 255 ? -1 : drawn->tos};
    for (unsigned at = 0; at < 16; at++) {
        underlay.source[at] = (uint8_t)(drawn->source >> (at % 8 * 8));
        if (underlay.version == 4)
            underlay.source[at] = at < 10 ? 0 : at < 12 ? 0xFF : (uint8_t)(drawn->source >> ((at - 12) * 8));
    }
    return underlay;
}

/* The bytes that all headers of a tunnel share, with zeros where something is put in for each frame. */
static void fill_template(struct vxlanpkt_recipe *recipe, uint64_t pattern)
{
    for (uint32_t at = 0; at < recipe->length; at++)
        recipe->header[at] = (uint8_t)(pattern >> (at % 8 * 8));
    uint8_t *ip = recipe->header + recipe->ip_offset, *udp = recipe->header + recipe->length - 16;
    for (uint8_t *tag = recipe->header + 12; tag < ip - 2; tag += 4) {
        tag[0] = 0x81;
        tag[1] = 0;
    }
    ip[-2] = recipe->family == 4 ? 0x08 : 0x86;
    ip[-1] = recipe->family == 4 ? 0x00 : 0xDD;
    memset(ip, 0, recipe->family == 4 ? 12 : 8);
    ip[0] = recipe->family == 4 ? 0x45 : 0x60;
    ip[recipe->family == 4 ? 9 : 6] = 17;
    memset(udp, 0, 2);
    memset(udp + 4, 0, 4);
    udp[8] = recipe->gpe ? 0x0C : 0x08; /* I, and P */
}

/* What follows from the rest of a recipe, as kernel/c/encapsulation.py has it. */
static void complete(struct vxlanpkt_recipe *recipe)
{
    uint8_t *ip = recipe->header + recipe->ip_offset, *udp = recipe->header + recipe->length - 16;
    uint32_t addresses = recipe->family == 4 ? 8 : 32;
    recipe->plain = !(recipe->raw || recipe->gpe || recipe->symmetric || recipe->inherit_ttl
                      || recipe->df == DF_INHERIT || recipe->flow_label_mode != FLOW_LABEL_FIXED
                      || recipe->udp_checksum == UDP_CHECKSUM_INNER);
    recipe->tos = recipe->inherit_dscp ? 0 : (uint8_t)(recipe->dscp << 2);
    recipe->tos_mask = (uint8_t)((recipe->inherit_dscp ? 0xFC : 0) | (recipe->ecn == ECN_MODE_NONE ? 0 : 3));
    if (recipe->family == 4) {
        recipe->ipv4_sum = vxlanpkt_sum(ip, 20);
        ip[6] = recipe->df == DF_SET ? 0x40 : 0;
        ip[8] = recipe->ttl;
        recipe->plain_sum = vxlanpkt_sum(ip, 20) + 36;
    } else {
        ip[7] = recipe->ttl;
    }
    recipe->udp_sum = vxlanpkt_sum(udp - addresses, addresses) + 17 + vxlanpkt_sum(udp, 16);
}

static struct vxlanpkt_recipe make_recipe(const struct recipe *drawn)
{
    struct vxlanpkt_recipe recipe = {.length = 0};
#define TRAIT(bit, name) uint8_t name = drawn->traits >> bit & 1;
    TRAITS(TRAIT)
#undef TRAIT
    recipe.family = ipv6 ? 6 : 4;
    recipe.inherit_ttl = inherit_ttl;
    recipe.inherit_dscp = inherit_dscp;
    recipe.symmetric = symmetric;
    recipe.gpe = gpe;
    recipe.raw = raw;
    recipe.inner_ip = (drawn->traits >> 6) % 3u;
    recipe.ip_offset = 14 + 4 * (drawn->tags % 3u);
    recipe.length = recipe.ip_offset + (ipv6 ? 40 : 20) + 16;
    recipe.low_port = drawn->low_port;
    recipe.high_port = drawn->low_port + 1u + drawn->span % (65536u - drawn->low_port);
    recipe.flow_label = drawn->flow_label & 0xFFFFF;
    recipe.ttl = drawn->ttl;
    recipe.dscp = drawn->dscp & 63;
    recipe.ecn = drawn->ecn % 3;
    recipe.df = drawn->df % 3;
    recipe.flow_label_mode = drawn->flow_label_mode % 3;
    recipe.udp_checksum = drawn->udp_checksum % 3;
    fill_template(&recipe, drawn->pattern);
    complete(&recipe);
    return recipe;
}

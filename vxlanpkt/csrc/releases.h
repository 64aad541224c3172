/* Releases of Arrow structures. A consumer calls them from any thread, with or without Python's lock, and also while an
 * exception is under way, which Python code would lose: so nothing is done here but to note what was released. Its twin
 * is kernel/python/releases.py.
 */

#if defined(_MSC_VER)
#include <intrin.h>
#endif

INLINE uint64_t count_down(uint64_t *left)
{
#if defined(_MSC_VER)
    return (uint64_t)_InterlockedDecrement64((volatile long long *)left);
#else
    return __atomic_sub_fetch(left, 1, __ATOMIC_ACQ_REL);
#endif
}

INLINE bool exchange_if(struct vxlanpkt_export **at, struct vxlanpkt_export **expected, struct vxlanpkt_export *value)
{
#if defined(_MSC_VER)
    struct vxlanpkt_export *before = *expected;
    *expected = _InterlockedCompareExchangePointer((void *volatile *)at, value, before);
    return *expected == before;
#else
    return __atomic_compare_exchange_n(at, expected, value, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
#endif
}

static struct vxlanpkt_export *take_released(struct vxlanpkt_releases *releases)
{
    struct vxlanpkt_export *newest = NULL;
    while (!exchange_if(&releases->newest, &newest, NULL))
        ;
    return newest;
}

/* One of the structures that share an export is released. */
static void let_go(struct vxlanpkt_export *export)
{
    struct vxlanpkt_releases *to = export->to;
    struct vxlanpkt_export *newest = NULL;
    if (count_down(&export->left))
        return;
    do
        export->next = newest;
    while (!exchange_if(&to->newest, &newest, export));
    /* From here on the export may be gone. */
    if (!newest && to->call_soon)
        to->call_soon(to->sweep, NULL);
}

static void release_array(struct vxlanpkt_arrow_array *array)
{
    for (int64_t at = 0; at < array->n_children; at++)
        if (array->children[at]->release)
            array->children[at]->release(array->children[at]);
    if (array->dictionary && array->dictionary->release)
        array->dictionary->release(array->dictionary);
    array->release = NULL;
    let_go(array->private_data);
}

static void release_schema(struct vxlanpkt_arrow_schema *schema)
{
    for (int64_t at = 0; at < schema->n_children; at++)
        if (schema->children[at]->release)
            schema->children[at]->release(schema->children[at]);
    if (schema->dictionary && schema->dictionary->release)
        schema->dictionary->release(schema->dictionary);
    schema->release = NULL;
    let_go(schema->private_data);
}

static void release_stream(struct vxlanpkt_arrow_stream *stream)
{
    stream->release = NULL;
    let_go(stream->private_data);
}

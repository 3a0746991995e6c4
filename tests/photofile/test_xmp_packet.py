"""XMP that is corrected in place."""

import xml.etree.ElementTree as ET

from procrop.photofile.xmp_packet import crop_xmp

_PACKET = b"""<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
 xmlns:GPano="http://ns.google.com/photos/1.0/panorama/" xmlns:xmp="http://ns.adobe.com/xap/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmpGImg="http://ns.adobe.com/xap/1.0/g/img/"
 tiff:Orientation="6" tiff:ImageWidth = '4000' GPano:ProjectionType="equirectangular" xmp:Rating="5">
<exif:PixelXDimension>4000</exif:PixelXDimension><tiff:ImageLength>3000</tiff:ImageLength>
<xmp:Thumbnails><rdf:Alt>
<rdf:li rdf:parseType="Resource"><xmpGImg:image>WHOLE</xmpGImg:image></rdf:li></rdf:Alt></xmp:Thumbnails>
<dc:title>M\xc3\xb6we, GPano:x="1" is a text</dc:title></rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="w"?>"""


def test_only_what_a_crop_changes_is_changed():
    cropped = crop_xmp(_PACKET, (640, 480))
    tree = ET.fromstring(cropped.split(b"?>\n", 1)[1].rsplit(b"<?", 1)[0])
    description = tree[0][0]
    tiff, exif = "{http://ns.adobe.com/tiff/1.0/}", "{http://ns.adobe.com/exif/1.0/}"
    assert description.attrib == {
        tiff + "Orientation": "1",
        tiff + "ImageWidth": "640",
        "{http://ns.adobe.com/xap/1.0/}Rating": "5",
    }
    texts = {child.tag: child.text for child in description}
    assert texts[exif + "PixelXDimension"] == "640" and texts[tiff + "ImageLength"] == "480"
    assert texts["{http://purl.org/dc/elements/1.1/}title"].startswith("Möwe,")
    assert b"WHOLE" not in cropped and len(description) == 3


def test_a_packet_without_such_properties_keeps_every_byte():
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"><a b="tiff:Orientation"/></x:xmpmeta>'
    assert crop_xmp(packet, (1, 2)) == packet


def test_elements_go_up_to_the_first_end_of_their_name():
    stale = b"<Item:a><Item:b>1</Item:b></Item:a ><Item:c x='2'>3</Item:c><Item:d/></Item:a>"
    assert crop_xmp(b"<a>" + stale + b"</a><Item:open>4", (1, 2)) == b"<a></Item:a></a><Item:open>4"


def test_a_packet_of_endless_elements_takes_no_longer_than_any_other():
    """Each start tag is looked at once: a search for its end would take hours."""
    packet = b"".join(b"<Item:a%d>" % number for number in range(300_000)) + b"</Item:a299999>"
    assert crop_xmp(packet, (1, 2)) == packet[: packet.index(b"<Item:a299999>")]
